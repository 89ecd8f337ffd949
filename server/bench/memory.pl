#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
# usage: memory.pl FILL [--entries N] [--check]
# What an entry takes: keys of 16 bytes, values of 32, a life each, stored one by one through the service. All resident
# memory of the process counts, the program itself included. rcumapd as it starts by itself (a limit on bytes: each entry is
# a block of malloc's) and without a limit; memcached and Redis with the same. --check: status 1 if a bound is missed.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Getopt::Long;
use IO::Socket::INET;
use Measure;
use Time::HiRes qw(time sleep);

my ($entries, $check) = (10_000_000, 0);
my $fill = shift // '';
GetOptions('entries=i' => \$entries, 'check' => \$check) && -x $fill && !@ARGV or die "see the head of $0\n";
my $cores = join ',', cores();

# What a service answers to this, until a pattern is there.
sub ask {
	my ($port, $question, $until) = @_;
	my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port) or die "connect: $@";
	print $socket $question;
	my $answer = '';
	until ($answer =~ $until) {
		sysread $socket, $answer, 65536, length $answer or die "no answer: $answer";
	}
	return ($answer =~ $until)[0];
}

# Memory that is being given back is not counted: until it does not shrink any more.
sub settled {
	my ($pid) = @_;
	my ($least, $since) = (resident($pid), time);
	while (time - $since < 3) {
		sleep 0.2;
		my $now = resident($pid);
		($least, $since) = ($now, time) if $now < $least * 0.999;
	}
	return resident($pid);
}

sub rcumapd {
	my (@options) = @_;
	my $server = start_rcumapd($cores, @options);
	return ($server, 'http', sub { ask($server->{admin}, "GET /stats HTTP/1.0\r\n\r\n", qr/"entries":(\d+)[,}]/) });
}

sub memcached {
	my $port = free_port();
	my $server = start_server('memcached', $cores, $port, 'memcached', '-u', 'root', '-l', '127.0.0.1', '-p', $port, '-U', 0,
		'-t', 2, '-m', 65536);
	return ($server, 'memcached', sub { ask($port, "stats\r\n", qr/STAT curr_items (\d+)\r\n/) });
}

sub redis {
	my $port = free_port();
	my $server = start_server('redis', $cores, $port, 'redis-server', '--bind', '127.0.0.1', '--port', $port, '--save', '',
		'--appendonly', 'no', '--daemonize', 'no', '--dir', scratch());
	return ($server, 'redis', sub { ask($port, "DBSIZE\r\n", qr/^:(\d+)\r\n/) });
}

my @subjects = (
	['rcumapd', \&rcumapd],
	['rcumapd --max-memory 0', \&rcumapd, '--max-memory', 0],
	['memcached', \&memcached],
	['redis', \&redis],
);
$| = 1;
print "resident bytes an entry: $entries entries, keys of 16 bytes, values of 32, each with a life\n";
print machine(), `memcached --version`, `redis-server --version`, "\n";
printf "  %-26s%18s%18s%20s\n", '', 'resident', 'bytes an entry', 'stored a second';
my %bytes;
for my $subject (@subjects) {
	my ($name, $start, @options) = @$subject;
	my ($server, $protocol, $count) = $start->(@options);
	my $began = time;
	run_on($cores, $fill, $protocol, $server->{port}, $entries);
	my $rate = $entries / (time - $began);
	my $resident = settled($server->{pid});
	my $found = $count->();
	$found == $entries or die "$name: $found entries, not $entries";
	$bytes{$name} = $resident / $entries;
	printf "  %-26s%14.1f MiB%18.1f%20.0f\n", $name, $resident / 1048576, $bytes{$name}, $rate;
	my $status = $server->end;
	$name !~ /rcumapd/ || $status == 0 or die "$name: status $status at its end: " . $server->log;
}
my $held = bounds(map { ["resident bytes an entry: $_", $bytes{$_}, 'at most', 115, '%.1f'] } 'rcumapd', 'rcumapd --max-memory 0');
exit($check && !$held ? 1 : 0);
