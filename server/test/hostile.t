#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
# What no good client sends: each gets the right status or a closed connection, and nobody else is the worse for it.
use strict;
use warnings;
use IO::Select;
use Server;
use Socket qw(SOL_SOCKET SO_LINGER);
use Test::More;
use Time::HiRes qw(sleep time);

my $server = start_server('--threads', 1, '--max-key', 64, '--max-value', '64K', '--max-batch', '64K', '--upload-memory', '260K');
my $host = "Host: test\r\n";
my $end = "\r\n\r\n";
is $server->ask('PUT', '/v1/good', body => 'good')->{status}, 201, 'a good client';

# What is sent; the statuses that will do: 0 is a closed connection without an answer. Afterwards it is closed, or, if
# "kept" is asked for, not.
sub refused {
	my ($what, $bytes, $statuses, $kept) = @_;
	my $client = $server->connect;
	$client->send($bytes);
	my $answer = $client->answer;
	my $status = $answer ? $answer->{status} : 0;
	ok scalar(grep { $_ == $status } @$statuses), "$what: $status" or return;
	if ($kept) {
		is $client->ask('GET', '/v1/good')->{body}, 'good', '... and the connection goes on';
	} elsif ($answer) {
		# The library may say it twice, see rcumapd(8); nothing but that error may come.
		my $more = $client->answer;
		ok !$more || $more->{status} == $status, '... and it is closed';
	}
}

my $smuggled = "GET /v1/good HTTP/1.1\r\n$host\r\n";

# Framing.
refused('Content-Length twice', "PUT /v1/x HTTP/1.1\r\n${host}Content-Length: 1\r\nContent-Length: 1$end" . 'x', [400]);
refused('two Content-Lengths', "PUT /v1/x HTTP/1.1\r\n${host}Content-Length: 0\r\nContent-Length: 44$end$smuggled", [400]);
refused("Content-Length: $_", "PUT /v1/x HTTP/1.1\r\n${host}Content-Length: $_${end}xxxxx", [400])
	for '-1', '+5', '5x', '0x5', '5, 5', '', '1 1', '5.0', 'five', "5\0";
refused("Content-Length: $_", "PUT /v1/x HTTP/1.1\r\n${host}Content-Length: $_${end}xxxxx", [400, 413])
	for '18446744073709551616', '18446744073709551615', '99999999999999999999999999', '9223372036854775808';
refused('with Transfer-Encoding', "PUT /v1/x HTTP/1.1\r\n${host}Content-Length: 5\r\nTransfer-Encoding: chunked${end}0$end", [400]);
refused('in the other order', "PUT /v1/x HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\nContent-Length: 5${end}0$end", [400]);
refused('Transfer-Encoding twice', "PUT /v1/x HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked${end}0$end", [400]);
refused("Transfer-Encoding: $_", "PUT /v1/x HTTP/1.1\r\n${host}Transfer-Encoding: $_${end}0$end", [400, 501])
	for 'gzip', 'gzip, chunked', 'chunked, chunked', 'identity', 'xchunked', "chunked\0", "\x0bchunked", '';
refused('in HTTP/1.0', "PUT /v1/x HTTP/1.0\r\n${host}Transfer-Encoding: chunked${end}0$end", [400]);
refused('space before the colon', "PUT /v1/x HTTP/1.1\r\n${host}Content-Length : 5${end}xxxxx", [400]);
refused('tab before the colon', "GET /v1/x HTTP/1.1\r\n${host}A\t: 5$end", [400]);
refused('a folded header', "PUT /v1/x HTTP/1.1\r\n${host}Content-Length: 4\r\n 4$end$smuggled", [400]);
refused('a folded header of another name', "GET /v1/good HTTP/1.1\r\n${host}X-A: b\r\n\tc\r\nX-B: d$end", [400]);
refused('a folded first header', "GET /v1/good HTTP/1.1\r\n X: y\r\n$host\r\n", [400]);
refused('a header without a colon', "GET /v1/good HTTP/1.1\r\n${host}what$end", [400]);
refused('a header without a name', "GET /v1/good HTTP/1.1\r\n${host}: x$end", [400]);
refused('a zero byte in a name', "GET /v1/good HTTP/1.1\r\n${host}A\0B: x$end", [400]);
refused('a control character in a value', "GET /v1/good HTTP/1.1\r\n${host}A: b\x01c$end", [400]);
refused('a bare CR in a value', "GET /v1/good HTTP/1.1\r\n${host}A: b\rX: c$end", [400]);
refused('no Host', "GET /v1/good HTTP/1.1$end", [400]);
refused('two Hosts', "GET /v1/good HTTP/1.1\r\n$host$host\r\n", [400], 1);

# Chunks.
my $chunked = "PUT /v1/x HTTP/1.1\r\n${host}Transfer-Encoding: chunked$end";
refused("the chunk size '$_'", "$chunked$_\r\nxxxxx\r\n0$end", [400, 413])
	for 'g', '-5', '+5', '0x5', ' 5', '', 'ffffffffffffffffff', '5 5';
refused('a chunk that is longer than it says', "${chunked}2\r\nxxxxx\r\n0$end", [400]);
refused('a chunk without its end', "${chunked}5\r\nxxxxx0$end", [400]);

# The first line.
refused("the version '$_'", "GET /v1/good $_\r\n$host\r\n", [400, 505, 0]) for 'HTTP/2.0', 'HTTP/0.9', 'HTTP/1.', 'http/1.1', 'x', 'HTTP/1.1x';
refused('no version', "GET /v1/good\r\n$host\r\n", [400, 0]);
refused('no target', "GET HTTP/1.1\r\n$host\r\n", [400, 0]);
refused('a space in the target', "GET /v1/a b HTTP/1.1\r\n$host\r\n", [400, 0]);
refused('a zero byte in the target', "GET /v1/good\0/x HTTP/1.1\r\n$host\r\n", [400]);
refused('a zero byte in the query', "PUT /v1/good?ttl=1\0 HTTP/1.1\r\n${host}Content-Length: 0$end", [400]);
refused('a control character in the target', "GET /v1/go\x07od HTTP/1.1\r\n$host\r\n", [400], 1);
refused('a lower-case method', "get /v1/good HTTP/1.1\r\n$host\r\n", [405], 1);
refused('an unknown method', "BREW /v1/good HTTP/1.1\r\n$host\r\n", [405], 1);
refused('CONNECT', "CONNECT test:80 HTTP/1.1\r\n$host\r\n", [400, 404, 405, 501], 1);
refused('a TLS greeting', "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" . "\xab" x 500 . "\n\n", [400, 0]);
refused('noise', join('', map { chr(($_ * 37) % 256) } 1 .. 60000), [400, 414, 431, 0]);

# Sizes.
refused('a key that is too long', 'GET /v1/' . 'k' x 65 . " HTTP/1.1\r\n$host\r\n", [414], 1);
refused('a target that is much too long', 'GET /v1/' . 'k' x 1000000 . " HTTP/1.1\r\n$host\r\n", [414, 0]);
refused('a header that is much too long', "GET /v1/good HTTP/1.1\r\n${host}X: " . 'x' x 1000000 . $end, [431, 0]);
refused('a million headers', "GET /v1/good HTTP/1.1\r\n$host" . "a: b\r\n" x 1000000 . "\r\n", [431, 0]);
refused('a body that is a little too large', "PUT /v1/x HTTP/1.1\r\n${host}Content-Length: 65537$end" . 'x' x 65537, [413], 1);
refused('a body that is much too large', "PUT /v1/x HTTP/1.1\r\n${host}Content-Length: 1000000000000$end", [413]);
refused('chunks that are too much', $chunked . "10000\r\n" . 'x' x 65536 . "\r\n1\r\nx\r\n0$end", [413], 1);
refused('a body that nobody wants', "GET /v1/good HTTP/1.1\r\n${host}Content-Length: 5${end}xxxxx", [200], 1);
refused('a large one that nobody wants', "DELETE /v1/other HTTP/1.1\r\n${host}Content-Length: 100000000$end", [413]);

# Expect.
sub expecting {
	my ($length, $expect) = @_;
	my $client = $server->connect;
	$client->send("PUT /v1/expect HTTP/1.1\r\n${host}Content-Length: $length\r\nExpect: $expect$end");
	return ($client->answer, $client);
}
my ($answer, $client) = expecting(5, '100-continue');
is $answer->{status}, 100, '100-continue is answered before the body';
$client->send('hello');
is $client->answer->{status}, 201, 'and then it is stored';
is +(expecting(65537, '100-continue'))[0]{status}, 413, 'but 413 where it is too large';
is +(expecting(5, 'x'))[0]{status}, 417, 'no other expectation';
{
	# Four bodies that are coming in take all of --upload-memory.
	my @clients = map { $server->connect } 1 .. 4;
	for my $slow (@clients) {
		$slow->send("PUT /v1/slow HTTP/1.1\r\n${host}Content-Length: 65536$end" . 'x' x 65535);
	}
	my $until = time + $Server::patience;
	my $status = 0;
	while ($status != 507 && time < $until) {
		($answer, $client) = expecting(65536, '100-continue');
		$status = $answer->{status};
	}
	is $status, 507, 'and 507 where there is no memory for it just now';
	is $answer->{headers}{'retry-after'}, 1, 'which passes';
	$_->send('y') for @clients;
	is_deeply [map { $_->answer->{status} =~ /^20[14]$/ ? 1 : 0 } @clients], [1, 1, 1, 1], 'what came first is stored';
	($answer, $client) = expecting(65536, '100-continue');
	is $answer->{status}, 100, 'then there is room again';
	undef $client;
}

# Slow, half-closed, reset.
{
	my $slow = $server->connect;
	my $text = Client::request_text('PUT', '/v1/pieces', body => 'in pieces');
	my $others = 0;
	for my $i (0 .. length($text) - 1) {
		$slow->send(substr $text, $i, 1);
		$others++ if $server->ask('GET', '/v1/good')->{status} == 200;
	}
	is $slow->answer->{status}, 201, 'a request in pieces of one byte';
	is $others, length $text, 'while others are served, by the same thread';
	is $slow->ask('GET', '/v1/pieces')->{body}, 'in pieces', 'is stored';
	$slow->send($_) for split //, ("PUT /v1/pieces HTTP/1.1\r\n${host}Transfer-Encoding: chunked${end}5\r\nhello\r\n1\r\n!\r\n0\r\nX: y$end");
	is $slow->answer->{status}, 204, 'chunks in pieces of one byte, with a trailer';
	is $slow->ask('GET', '/v1/pieces')->{body}, 'hello!', 'are stored';
}
{
	my $half = $server->connect;
	$half->send(Client::request_text('GET', '/v1/good'));
	$half->shutdown_writing;
	is $half->answer->{body}, 'good', 'who has sent all and closes his side is answered';
	ok $half->at_end, 'and then it is closed';
	$half = $server->connect;
	$half->send("PUT /v1/half HTTP/1.1\r\n${host}Content-Length: 10${end}hello");
	$half->shutdown_writing;
	ok !$half->answer, 'half a body is not answered';
	is $server->ask('GET', '/v1/half')->{status}, 404, 'nor stored';
	$half = $server->connect;
	$half->send("GET /v1/go");
	$half->shutdown_writing;
	ok !$half->answer, 'nor half a line';
}
{
	my $large = 'x' x 65536;
	is $server->ask('PUT', '/v1/large', body => $large)->{status}, 201, 'a large value';
	for (1 .. 50) {
		my $rude = $server->connect;
		$rude->send(Client::request_text('GET', '/v1/large') x 5);
		setsockopt $rude->{socket}, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0;
		$rude->close;
	}
	# One that reads nothing, while its answers fill every buffer.
	my $deaf = $server->connect;
	$deaf->{socket}->blocking(0);
	my $asked = Client::request_text('GET', '/v1/large') x 200;
	syswrite $deaf->{socket}, $asked;
	my $good = 0;
	$good += $server->ask('GET', '/v1/good')->{status} == 200 for 1 .. 100;
	is $good, 100, 'who is reset, or reads nothing, keeps nobody';
	my $until = time + $Server::patience;
	sleep 0.01 until $server->stats->{map}{held_entries} <= 1 || time > $until;
	is $server->stats->{map}{held_entries}, 1, 'what is being sent is held: for the one who does not read';
	$deaf->close;
	sleep 0.01 until $server->stats->{map}{held_entries} == 0 || time > $until;
	is $server->stats->{map}{held_entries}, 0, 'and no longer';
	sleep 0.01 until $server->stats->{open_connections} == 0 || time > $until;
	is $server->stats->{open_connections}, 0, 'no connection stays';
}

is $server->ask('GET', '/v1/good')->{body}, 'good', 'the good client, afterwards';
ok $server->ends_well, 'the server ends well';
done_testing;
