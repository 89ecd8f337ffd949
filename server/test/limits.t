#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
# Connections, entries and memory are bounded; what is refused is told.
use strict;
use warnings;
use IO::Select;
use Server;
use Socket ();
use Test::More;
use Time::HiRes qw(sleep time);

my $until = time + $Server::patience;
{
	my $server = start_server('--threads', 1, '--max-connections', 4);
	my @clients = map { $server->connect } 1 .. 4;
	$_->ask('GET', '/v1/a') for @clients;
	my $more = $server->connect;
	my $answer = $more->answer;
	is $answer->{status}, 503, 'one connection too many is told so';
	is $answer->{headers}{connection}, 'close', 'and closed';
	is $clients[0]->ask('GET', '/v1/a')->{status}, 404, 'the others go on';
	cmp_ok $server->stats->{counters}{turned_away}, '>=', 1, 'it is counted';
	(shift @clients)->close;
	sleep 0.01 while $server->stats->{open_connections} > 3 && time < $until;
	is $server->ask('GET', '/v1/a')->{status}, 404, 'when one goes, another may come';
	ok $server->ends_well, 'the server ends well';
}
{
	my $server = start_server('--threads', 2, '--max-connections', 4);
	my $accepted = 0;
	for (1 .. 20) {
		my @clients = map { $server->connect } 1 .. 30;
		$_->send(Client::request_text('GET', '/v1/a')) for @clients;
		my @statuses = map { my $answer = $_->answer; $answer ? $answer->{status} : 0 } @clients;
		my $now = grep { $_ == 404 } @statuses;
		$accepted = $now if $now > $accepted;
		$_->close for @clients;
		sleep 0.001 while $server->stats->{open_connections} > 0 && time < $until;
	}
	is $accepted, 4, 'a burst gets no more connections than there may be';
	ok $server->ends_well, 'the server ends well';
}
{
	my $server = start_server('--threads', 1, '--idle-timeout', 1);
	my $idle = $server->connect;
	$idle->ask('GET', '/v1/a');
	my $slow = $server->connect;
	$slow->send("PUT /v1/a HTTP/1.1\r\n");
	ok $idle->at_end, 'an idle connection is closed';
	ok $slow->at_end, 'one that stops in the midst of a request, too';
	ok $server->ends_well, 'the server ends well';
}
{
	my $server = start_server('--threads', 1, '--idle-timeout', 300, '--request-timeout', 3, '--max-value', '8M');
	my $idle = $server->connect;
	$idle->ask('PUT', '/v1/a', body => 'x' x 8000000); # more than sockets hold
	# Each says something often enough.
	my %slow = map { $_ => $server->connect } 'a head', 'a body', 'a body in chunks', 'an answer';
	my %more = ('a head' => 'X', 'a body' => 'x', 'a body in chunks' => "1\r\nx\r\n", 'an answer' => '');
	setsockopt $slow{'an answer'}{socket}, Socket::SOL_SOCKET(), Socket::SO_RCVBUF(), pack 'i', 4096;
	$slow{'a head'}->send("GET /v1/a HTTP/1.1\r\nX: ");
	$slow{'a body'}->send("PUT /v1/b HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n");
	$slow{'a body in chunks'}->send("PUT /v1/b HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
	$slow{'an answer'}->send(Client::request_text('GET', '/v1/a'));
	sleep 0.01 until $server->stats->{map}{held_entries} == 1 || time > $until;
	for my $what ('an answer', 'a head', 'a body', 'a body in chunks') {
		my $client = $slow{$what};
		my $ended = 0;
		until ($ended || time > $until) {
			if ($what eq 'an answer') {
				sysread $client->{socket}, my $got, 100;
				$ended = $server->stats->{map}{held_entries} == 0;
			} else {
				$ended = !$client->send($more{$what}) || IO::Select->new($client->{socket})->can_read(0.1);
			}
		}
		ok $ended, "$what that comes in pieces does not come for ever";
	}
	sleep 0.01 until $server->stats->{map}{held_entries} == 0 || time > $until;
	is $server->stats->{map}{held_entries}, 0, 'nothing is held for it';
	is $server->stats->{open_connections}, 1, 'its connection is free';
	is $idle->ask('GET', '/v1/a')->{status}, 200, 'one that is idle stays';
	my $admin = $server->connect($server->{admin});
	$admin->send('GET /hea');
	$admin->shutdown_writing;
	ok $admin->at_end, 'who closes his side of the admin site is closed, too';
	ok $server->ends_well, 'the server ends well';
}
{
	# Answers to batches are no entries that are held: they count as bodies do.
	my $server = start_server('--threads', 1, '--max-batch', '4M', '--upload-memory', '8M');
	my $client = $server->connect;
	$client->ask('PUT', '/v1/a', body => 'x' x 1000000);
	my $batch = '{"operations": [' . join(',', ('{"op": "get", "key": "a"}') x 3) . ']}';
	my @deaf;
	for (1 .. 20) {
		my $deaf = $server->connect;
		setsockopt $deaf->{socket}, Socket::SOL_SOCKET(), Socket::SO_RCVBUF(), pack 'i', 4096;
		$deaf->send(Client::request_text('POST', '/batch', body => $batch) x 5);
		push @deaf, $deaf;
	}
	my $statuses = sub { join ' ', $client->ask('POST', '/batch', body => $batch)->{body} =~ /"status":(\d+)/g };
	my $got;
	sleep 0.01 until ($got = $statuses->()) eq '507 507 507' || time > $until;
	is $got, '507 507 507', 'answers that nobody reads do not fill the memory';
	@deaf = ();
	sleep 0.01 until ($got = $statuses->()) eq '200 200 200' || time > $until;
	is $got, '200 200 200', 'when they are gone, others have room';
	ok $server->ends_well, 'the server ends well';
}
{
	my $server = start_server('--threads', 1, '--max-entries', 100);
	my $client = $server->connect;
	my %statuses;
	$statuses{ $client->ask('PUT', "/v1/k$_", body => 'x')->{status} }++ for 1 .. 500;
	is_deeply \%statuses, { 201 => 500 }, 'more entries than --max-entries are accepted';
	my $map = $server->stats->{map};
	cmp_ok $map->{entries}, '<=', 100, 'but not kept';
	cmp_ok $map->{evicted}, '>=', 400, 'as is counted';
	is $client->ask('GET', '/v1/k500')->{status}, 200, 'the last one is there';
	ok $server->ends_well, 'the server ends well';
}
{
	my $server = start_server('--threads', 1, '--max-memory', '4M', '--max-value', '8M', '--upload-memory', '64M');
	my $client = $server->connect;
	my %statuses;
	$statuses{ $client->ask('PUT', "/v1/k$_", body => 'x' x 20000)->{status} }++ for 1 .. 1000;
	# A machine that is very busy may be slow to give memory back; then a store is refused.
	is_deeply [grep { !/^(201|507)$/ } keys %statuses], [], 'more than --max-memory is accepted, or refused with 507';
	cmp_ok $statuses{201}, '>', 800, 'mostly accepted';
	my $map = $server->stats->{map};
	cmp_ok $map->{accounted_bytes}, '<=', 4 << 20, 'but not kept';
	cmp_ok $map->{evicted}, '>', 500, 'as is counted';
	is $client->ask('PUT', '/v1/large', body => 'x' x 3900000)->{status}, 413, 'a value for which the cache is too small';
	# The answer may be lost to a reset, for its body is not read.
	my $answer = $server->ask('PUT', '/v1/larger', body => 'x' x 5000000);
	is $answer ? $answer->{status} : 413, 413, 'one that is larger than it';
	is $server->ask('PUT', '/v1/larger', 'Content-Length' => 5000000, Expect => '100-continue')->{status}, 413, 'for certain, if asked before';
	is $client->ask('GET', '/v1/large')->{status}, 404, 'neither is there';
	is $client->ask('PUT', '/v1/small', body => 'x')->{status}, 201, 'a small one goes on';

	# Whoever does not read what he asked for holds it; others are told when there is no memory left.
	my @deaf;
	for my $i (1 .. 60) {
		my $size = 120000;
		$client->ask('PUT', "/v1/held$i", body => 'x' x $size);
		my $deaf = $server->connect;
		setsockopt $deaf->{socket}, Socket::SOL_SOCKET(), Socket::SO_RCVBUF(), pack 'i', 4096;
		$deaf->send(Client::request_text('GET', "/v1/held$i") x 50);
		push @deaf, $deaf;
		$statuses{ $client->ask('PUT', '/v1/try', body => 'x' x 100000)->{status} }++;
	}
	is_deeply [grep { !/^(201|204|507)$/ } keys %statuses], [], 'stores are accepted, or refused with 507';
	cmp_ok $server->stats->{map}{accounted_bytes}, '<=', 4 << 20, 'the limit holds';
	sleep 0.01 while $server->stats->{map}{held_entries} < 26 && time < $until;
	my @puts = map { '{"op": "put", "key": "b", "value": "' . 'x' x $_ . '"}' } 1000000, 1;
	$answer = $client->ask('POST', '/batch', body => '{"operations": [' . join(',', @puts) . ']}');
	is_deeply [$answer->{body} =~ /"status":(\d+)/g], [507, 507], 'a batch waits for room once, not for each store';
	@deaf = ();
	sleep 0.01 while $server->stats->{map}{held_entries} > 0 && time < $until;
	is $client->ask('PUT', '/v1/try', body => 'x' x 100000)->{status} =~ /^20[14]$/ ? 1 : 0, 1, 'afterwards there is room';
	ok $server->ends_well, 'the server ends well';
}
done_testing;
