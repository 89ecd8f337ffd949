#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
# usage: throughput.pl [--rounds N] [--seconds N] [--check]
# GET of a 100-byte value by wrk, beside nginx serving as many bytes from its configuration (`return`) and from a file: each
# server with one thread, on the same core, by turns; wrk on the other. Beside it a value with a life, which takes two headers
# more. Medians over the rounds. --check: status 1 if a bound is missed.
#
# A core is shared when others work on it: `others` is the processor time that neither the server nor wrk took, of both
# cores, in cores. Where it is more than a few hundredths only the ratios are worth anything, and p99 is not.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Getopt::Long;
use IO::Socket::INET;
use Measure;
use Time::HiRes qw(time);

my ($rounds, $seconds, $check) = (5, 5, 0);
GetOptions('rounds=i' => \$rounds, 'seconds=i' => \$seconds, 'check' => \$check) && !@ARGV or die "see the head of $0\n";
my ($server_core, $client_core) = cores();
defined $client_core or die "this takes two cores\n";

my $body = join '', map { chr(33 + $_ % 90) =~ s/["\\\$;{}]/x/r } 1 .. 100;

# As nginx's manual has it for one worker; connections that last, as those to rcumapd do.
sub nginx {
	my $directory = scratch();
	my $port = free_port();
	mkdir "$directory/root";
	open my $file, '>', "$directory/root/file" or die "$directory: $!";
	print $file $body;
	close $file;
	chmod 0755, $directory, "$directory/root";
	open my $conf, '>', "$directory/nginx.conf" or die "$directory: $!";
	my $temp = join ' ', map { "${_}_temp_path $directory/$_;" } qw(client_body proxy fastcgi uwsgi scgi);
	print $conf <<"END";
daemon off;
worker_processes 1;
pid $directory/nginx.pid;
error_log stderr crit;
events { worker_connections 1024; }
http {
	$temp
	access_log off;
	sendfile on;
	tcp_nopush on;
	tcp_nodelay on;
	keepalive_timeout 300s;
	keepalive_requests 1000000000;
	open_file_cache max=100 inactive=1h;
	open_file_cache_valid 1h;
	default_type application/octet-stream;
	server {
		listen 127.0.0.1:$port backlog=1024;
		root $directory/root;
		location = /return { return 200 "$body"; }
		location = /file { }
	}
}
END
	close $conf;
	my $server = start_server('nginx', $server_core, $port, 'nginx', '-e', 'stderr', '-c', "$directory/nginx.conf");
	# What serves is the child.
	($server->{works}) = grep { $_ } split ' ', Measure::slurp("/proc/$server->{pid}/task/$server->{pid}/children");
	return $server;
}

# One request; its answer must have the body.
sub request {
	my ($server, $method, $path, $send) = @_;
	my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $server->{port}) or die "connect: $@";
	my $length = defined $send ? 'Content-Length: ' . length($send) . "\r\n" : '';
	print $socket "$method $path HTTP/1.1\r\nHost: test\r\nConnection: close\r\n$length\r\n" . ($send // '');
	local $/;
	return <$socket> // '';
}

my $rcumapd = start_rcumapd($server_core, '--threads', 1);
my $nginx = nginx();
request($rcumapd, 'PUT', $_, $body) =~ m{^HTTP/1.1 201 } or die 'the value is not stored' for '/v1/key', '/v1/mortal?ttl=100000';
my @subjects = (
	{ name => 'nginx: return', server => $nginx, path => '/return' },
	{ name => 'nginx: file', server => $nginx, path => '/file' },
	{ name => 'rcumapd', server => $rcumapd, path => '/v1/key' },
	{ name => 'rcumapd: a life', server => $rcumapd, path => '/v1/mortal' },
);
for my $subject (@subjects) {
	$subject->{answer} = request($subject->{server}, 'GET', $subject->{path});
	$subject->{answer} =~ /\r\n\r\n\Q$body\E\z/ or die "$subject->{name} does not send the body: $subject->{answer}";
	$subject->{answer} =~ s/^Connection: close\r\n//m;
}

sub microseconds {
	my ($number, $unit) = @_;
	return $number * { us => 1, ms => 1e3, s => 1e6, m => 6e7 }->{$unit};
}

# What wrk tells, and what was taken meanwhile.
sub measure {
	my ($subject, $for) = @_;
	my $pid = $subject->{server}{works} // $subject->{server}{pid};
	my ($began, @cpu, @after) = (time, cpu_seconds($pid));
	my ($machine, $children) = (machine_seconds($server_core, $client_core), (times)[2] + (times)[3]);
	my $text = run_on($client_core, 'wrk', '-t2', '-c64', "-d$for", '--latency',
		"http://127.0.0.1:$subject->{server}{port}$subject->{path}");
	$machine = machine_seconds($server_core, $client_core) - $machine;
	$children = (times)[2] + (times)[3] - $children;
	my $took = time - $began;
	@after = cpu_seconds($pid);
	$text =~ /Non-2xx|Socket errors/ and die "$subject->{name}: $text";
	my ($requests, $within, $unit) = $text =~ /(\d+) requests in ([\d.]+)(\w+),/ or die "wrk: $text";
	my %latency = map { /^\s+(50|99)%\s+([\d.]+)(us|ms|s|m)$/ ? ($1, microseconds($2, $3)) : () } split /\n/, $text;
	$requests > 0 && 2 == grep { ($latency{$_} // 0) > 0 } 50, 99 or die "$subject->{name}: too few requests to say anything: $text";
	my ($user, $system) = map { $after[$_] - $cpu[$_] } 0, 1;
	return {
		rate => $requests / (microseconds($within, $unit) / 1e6),
		p50 => $latency{50}, p99 => $latency{99},
		user => $user / $requests * 1e6, system => $system / $requests * 1e6, cpu => ($user + $system) / $requests * 1e6,
		busy => ($user + $system) / $took, client => $children / $took,
		others => ($machine - $user - $system - $children) / $took,
	};
}

print 'GET of 100 bytes: wrk, 2 threads, 64 connections kept alive; one core each for server and wrk', "\n";
print machine(), `nginx -v 2>&1`;
printf "%d rounds by turns, %d s each; medians\n\n", $rounds, $seconds;
measure($_, 1) for @subjects;
for my $round (1 .. $rounds) {
	push @{$_->{rounds}}, measure($_, $seconds) for @subjects;
	push @subjects, shift @subjects;
}
@subjects = sort { $a->{name} cmp $b->{name} } @subjects;
my ($file, $return, $ours) = @subjects;

my @columns = ([rate => 'requests/s', '%.0f'], [p50 => 'p50 us', '%.0f'], [p99 => 'p99 us', '%.0f'],
	[cpu => 'CPU us/request', '%.2f'], [user => 'user', '%.2f'], [system => 'system', '%.2f'],
	[busy => 'server busy', '%.2f'], [client => 'wrk busy', '%.2f'], [others => 'others', '%.2f']);
printf "  %-16s" . '%15s' x @columns . "%15s\n", '', (map { $_->[1] } @columns), 'answer, bytes';
for my $subject (@subjects) {
	printf "  %-16s", $subject->{name};
	for my $column (@columns) {
		my ($name, undef, $format) = @$column;
		printf '%15s', sprintf $format, $subject->{$name} = median(map { $_->{$name} } @{$subject->{rounds}});
	}
	printf "%15d\n", length $subject->{answer};
}

# Ratios of one round, then their median: what disturbs a round disturbs both.
sub ratio {
	my ($of, $name) = @_;
	return median(map { $ours->{rounds}[$_]{$name} / $of->{rounds}[$_]{$name} } 0 .. $rounds - 1);
}
printf "\n  processor time a request: %.2f times nginx's for `return`, %.2f times for a file\n", ratio($return, 'cpu'), ratio($file, 'cpu');
my $held = bounds(
	['requests per second beside nginx: return', ratio($return, 'rate'), 'at least', 0.85, '%.2f x'],
	['requests per second beside nginx: file', ratio($file, 'rate'), 'at least', 0.85, '%.2f x'],
	['p99 beside nginx: return', ratio($return, 'p99'), 'at most', 1.5, '%.2f x'],
	['p99 beside nginx: file', ratio($file, 'p99'), 'at most', 1.5, '%.2f x']);
$rcumapd->end == 0 or die "rcumapd does not end well: " . $rcumapd->log;
$nginx->end;
exit($check && !$held ? 1 : 0);
