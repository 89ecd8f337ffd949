#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
# How it ends, what systemd tells it and is told, unix sockets, logs.
use strict;
use warnings;
use Fcntl;
use File::Temp ();
use IO::Socket::INET;
use IO::Socket::UNIX;
use JSON::PP ();
use POSIX ();
use Server;
use Socket qw(SOCK_DGRAM);
use Test::More;
use Time::HiRes qw(sleep time);

my $directory = File::Temp->newdir;
my $until = time + $Server::patience;

# SIGTERM: what is under way finishes, what is idle is closed, health turns first.
{
	my $server = start_server('--threads', 2, '--drain-delay', '60s', '--drain-timeout', '60s');
	my ($idle, $busy) = ($server->connect, $server->connect);
	is $idle->ask('PUT', '/v1/a', body => 'x')->{status}, 201, 'a connection that is kept';
	$busy->send("PUT /v1/busy HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nhel");
	sleep 0.01 until $server->stats->{open_connections} == 2 || time > $until;
	kill 'TERM', $server->{pid};
	sleep 0.01 while $server->ask_admin('GET', '/healthz')->{status} == 200 && time < $until;
	is $server->ask_admin('GET', '/healthz')->{status}, 503, 'draining: health says so';
	my $answer = $server->ask('GET', '/v1/a');
	is $answer->{status}, 200, 'while new connections are served';
	is $answer->{headers}{connection}, 'close', 'once';
	kill 'TERM', $server->{pid}; # ends the delay
	ok $idle->at_end, 'then idle connections are closed';
	sleep 0.01 while IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $server->{port}) && time < $until;
	ok !IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $server->{port}), 'no new ones are accepted';
	$busy->send('lo');
	$answer = $busy->answer;
	is $answer->{status}, 201, 'what was under way is finished';
	is $answer->{headers}{connection}, 'close', 'and its connection closed';
	is $server->end, 0, 'and all ends well';
}
{
	my $server = start_server('--threads', 1, '--drain-timeout', '0.2');
	my $stuck = $server->connect;
	$stuck->send("PUT /v1/a HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nhel");
	sleep 0.01 until $server->stats->{open_connections} == 1 || time > $until;
	is $server->end('INT'), 0, 'who never finishes is not waited for, beyond --drain-timeout';
	like $server->{log}, qr/warn 1 connections are broken off/, 'as the log says';
}
# No request that was sent before the signal is lost.
{
	my $server = start_server('--threads', 2);
	my @clients = map { $server->connect } 1 .. 20;
	$_->send(Client::request_text('PUT', "/v1/a", body => 'x')) for @clients;
	kill 'TERM', $server->{pid};
	is_deeply [map { my $answer = $_->answer; $answer ? int $answer->{status} / 100 : 0 } @clients], [(2) x 20],
		'all that was sent before it is answered';
	is $server->end, 0, 'in the end';
}

# Unix sockets.
{
	my $path = "$directory/socket";
	my $server = start_server('--threads', 1, '--unix', $path);
	is $server->connect_unix($path)->ask('PUT', '/v1/a', body => 'x')->{status}, 201, 'a unix socket';
	is $server->ask('GET', '/v1/a')->{status}, 200, 'beside TCP';
	is `curl -sS --unix-socket $path http://any/v1/a 2>&1`, 'x', 'curl --unix-socket';
	`$ENV{RCUMAPD} --address '' --unix $path --admin-port 0 2>&1`;
	is $? >> 8, 1, 'one that is served is not taken over';
	kill 'KILL', $server->{pid};
	$server->end;
	ok -S $path, 'a killed one leaves it';
	$server = start_server('--threads', 1, '--address', '', '--unix', $path);
	is $server->connect_unix($path)->ask('GET', '/v1/a')->{status}, 404, 'the next one takes it over';
	is $server->end('TERM'), 0, 'and removes it';
	ok !-e $path, 'in the end';
}

# systemd: sockets that it passes, what it is told.
{
	my $notify = IO::Socket::UNIX->new(Local => "$directory/notify", Type => SOCK_DGRAM) or die "notify: $!";
	my $data = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1') or die;
	my $admin = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1') or die;
	local $ENV{NOTIFY_SOCKET} = "$directory/notify";
	local $ENV{LISTEN_FDS} = 2;
	local $ENV{LISTEN_FDNAMES} = 'rcumapd.socket:admin';
	my $script = "$directory/run";
	open my $out, '>', $script or die;
	# Becomes the server, so that it is the process that LISTEN_PID names.
	print $out "#!/bin/sh\nexport LISTEN_PID=\$\$\nexec $ENV{RCUMAPD} \"\$@\" 3<&" . fileno($data) . ' 4<&' . fileno($admin) . "\n";
	close $out;
	chmod 0755, $script;
	my $binary = $ENV{RCUMAPD};
	local $ENV{RCUMAPD} = $script;
	# dup2() by the shell clears close-on-exec for 3 and 4; the originals must live until then.
	fcntl $_, Fcntl::F_SETFD, 0 for $data, $admin;
	my $server = start_server('--threads', 1);
	is $server->{port}, $data->sockport, 'sockets of systemd';
	is $server->{admin}, $admin->sockport, 'by name';
	is $server->ask('PUT', '/v1/a', body => 'x')->{status}, 201, 'are served';
	is $server->ask_admin('GET', '/healthz')->{status}, 200, 'both';
	$notify->recv(my $message, 1000);
	is $message, 'READY=1', 'systemd is told that it runs';
	is $server->end('TERM'), 0, 'and when';
	$notify->recv($message, 1000);
	is $message, 'STOPPING=1', 'it ends';

	# Accepting from what does not listen would fail for ever.
	my $datagrams = IO::Socket::INET->new(Proto => 'udp', LocalAddr => '127.0.0.1') or die;
	pipe my $read, my $write or die;
	my $pid = fork // die;
	if ($pid == 0) {
		POSIX::dup2(fileno $write, 2);
		POSIX::dup2(fileno $datagrams, 3);
		@ENV{qw(LISTEN_PID LISTEN_FDS LISTEN_FDNAMES)} = ($$, 1, 'rcumapd.socket');
		alarm $Server::patience;
		exec $binary, '--admin-port', 0 or POSIX::_exit(99);
	}
	close $write;
	like join('', <$read>), qr/error inherited sockets: one does not listen/, 'a socket of another kind is refused';
	waitpid $pid, 0;
	is $? >> 8, 1, 'and it ends';
}

# Logs.
{
	my $log = "$directory/log";
	my $server = start_server('--threads', 1, '--log-format', 'json', '--log-level', 'debug');
	$server->ask('GET', '/v1/%0a%22%ff');
	is $server->end('TERM'), 0, 'a log in JSON';
	my @lines = map { JSON::PP::decode_json($_) } grep { /^\{/ } split /\n/, $server->{log};
	cmp_ok scalar(@lines), '>=', 5, 'has lines';
	is scalar(grep { $_->{level} && $_->{message} && $_->{time} =~ /^\d{4}-\d\d-\d\dT[\d:.]+Z$/ } @lines), scalar @lines,
		'of time, level and message';
	is scalar(grep { $_->{message} =~ /^get / } @lines), 1, 'one for each request, at level debug';

	pipe my $read, my $write or die;
	my $pid = fork // die;
	if ($pid == 0) {
		exec $ENV{RCUMAPD}, '--port', 0, '--admin-port', 0, '--log-file', $log or POSIX::_exit(99);
	}
	my $contents = sub { open my $in, '<', $log or return ''; local $/; return <$in> // '' };
	sleep 0.01 until $contents->() =~ /ready$/m || time > $until;
	like $contents->(), qr/ready$/m, 'a log in a file';
	rename $log, "$log.1";
	kill 'HUP', $pid;
	sleep 0.01 until $contents->() =~ /log opened/ || time > $until;
	like $contents->(), qr/log opened/, 'SIGHUP opens it anew';
	kill 'TERM', $pid;
	waitpid $pid, 0;
	is $?, 0, 'and it ends';
	like $contents->(), qr/ end$/m, 'saying so there';
}
done_testing;
