#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
# The units that are installed: systemd takes them, finds them hardened, and its own tool starts the server on demand.
use strict;
use warnings;
use Cwd ();
use File::Temp ();
use IO::Socket::UNIX;
use POSIX ();
use Server;
use Test::More;
use Time::HiRes qw(sleep time);

sub program {
	my ($name) = @_;
	my ($found) = grep { -x } map { "$_/$name" } split(/:/, $ENV{PATH});
	return $found;
}

my $directory = File::Temp->newdir;
my $started;
END { kill 'KILL', $started if $started }
my $binary = Cwd::abs_path($ENV{RCUMAPD});

SKIP: {
	my $analyze = program('systemd-analyze') or skip 'systemd-analyze is not installed', 3;
	# As installed, but for the place of the binary: that must exist.
	for my $unit ('rcumapd.service', 'rcumapd.socket') {
		open my $in, '<', "server/deploy/$unit" or die "$unit: $!";
		open my $out, '>', "$directory/$unit" or die "$unit: $!";
		print $out map { s{^ExecStart=\S+}{ExecStart=$binary}r } <$in>;
		close $out or die "$unit: $!";
	}
	is `$analyze verify --man=no $directory/rcumapd.service $directory/rcumapd.socket 2>&1`, '', 'the units are well';
	is $?, 0, 'all of them';
	skip 'systemd-analyze does not judge files', 1 unless `$analyze --help` =~ /--offline/;
	# 0 to 10. Left are the network, unix sockets, and that malloc looks into /proc/sys: 1.2.
	my $report = `$analyze security --offline=true --threshold=15 --no-pager $directory/rcumapd.service 2>&1`;
	is $?, 0, 'the service is confined' or diag $report;
}

SKIP: {
	my $activate = program('systemd-socket-activate') or skip 'systemd-socket-activate is not installed', 5;
	my ($data, $admin) = map { "$directory/$_" } 'data', 'admin';
	pipe my $read, my $write or die "pipe: $!";
	my $pid = fork // die "fork: $!";
	if ($pid == 0) {
		open STDERR, '>&', $write or POSIX::_exit(99);
		exec $activate, '-l', $data, '-l', $admin, '--fdname=rcumapd.socket:admin', $binary, '--threads', 1 or POSIX::_exit(98);
	}
	$started = $pid;
	close $write;
	my $server = bless { pid => $pid, log => '', read => $read }, 'Server';
	my $until = time + $Server::patience;
	sleep 0.01 until (-S $data && -S $admin) || time > $until;
	like readlink("/proc/$pid/exe"), qr{/systemd-socket-activate$}, 'nobody has asked: it does not run';
	is eval { $server->connect_unix($data)->ask('PUT', '/v1/a', body => 'x')->{status} }, 201, 'the first who asks has it started, and is answered';
	is eval { $server->connect_unix($admin)->ask('GET', '/healthz')->{status} }, 200, 'the other socket is the admin site';
	is $server->end('TERM'), 0, 'it ends well';
	$started = undef;
	ok -S $data, "and leaves systemd's socket alone";
}
done_testing;
