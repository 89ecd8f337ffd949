#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
# Verbs, keys, values, content types, and what each is answered with.
use strict;
use warnings;
use Server;
use Test::More;

my $server = start_server('--threads', 2, '--max-key', 64, '--max-value', '1M');
my $client = $server->connect;
my $answer;

# All of this on one connection: it is kept alive throughout.
sub ask { return $answer = $client->ask(@_) }
sub status { return ask(@_)->{status} }

is status('GET', '/v1/a'), 404, 'what was not stored is not there';
is status('PUT', '/v1/a', body => 'one'), 201, 'stored under an absent key';
like $answer->{headers}{etag}, qr/^"[0-9a-f]+-[0-9a-f]+"$/, 'its tag';
my $first = $answer->{headers}{etag};
is status('GET', '/v1/a'), 200, 'found';
is $answer->{body}, 'one', 'as it was stored';
is $answer->{headers}{etag}, $first, 'under the tag that was told';
is $answer->{headers}{'content-type'}, 'application/octet-stream', 'of the default type';
is $answer->{headers}{age}, 0, 'just now';
ok !exists $answer->{headers}{'rcumap-ttl'}, 'for good';
is status('PUT', '/v1/a', body => 'two'), 204, 'replaced';
isnt $answer->{headers}{etag}, $first, 'under another tag';
is ask('GET', '/v1/a')->{body}, 'two', 'the new value';
is status('POST', '/v1/a', body => 'three'), 204, 'POST stores, too';
is status('HEAD', '/v1/a'), 200, 'HEAD';
is $answer->{headers}{'content-length'}, 5, 'tells the size';
is ask('GET', '/v1/a')->{body}, 'three', 'and sends no body: the next answer follows';
is status('DELETE', '/v1/a'), 204, 'deleted';
is status('DELETE', '/v1/a'), 404, 'and gone';
is status('HEAD', '/v1/a'), 404, 'for HEAD, too';

is status('PUT', '/v1/empty', body => ''), 201, 'an empty value';
is ask('GET', '/v1/empty')->{body}, '', 'comes back';
is $answer->{headers}{'content-length'}, 0, 'with its size';
is status('PUT', '/v1/none'), 411, 'a PUT without a body says how long it is';

my $all = join '', map { chr } 0 .. 255;
is status('PUT', '/v1/bytes', body => $all x 300), 201, 'all bytes in a value';
is ask('GET', '/v1/bytes')->{body}, $all x 300, 'come back';
my $large = join '', map { pack 'N', $_ } 0 .. 262143;
is status('PUT', '/v1/large', body => $large), 201, 'a value of --max-value';
is ask('GET', '/v1/large')->{body}, $large, 'comes back';

# Keys: percent-decoded once, never normalized.
my %keys = ('%00' => '%00', 'a/b' => 'a%2Fb', 'a/../b' => 'a%2f%2E%2e/b', '%25' => '%25', '%2500' => '%25%30%30', '//' => '%2F/',
	'%3Fttl=x' => '%3fttl=x', '%ff%fe' => '%FF%fe', ' ' => '%20', '+' => '%2B');
delete $keys{' '};
for my $key (sort keys %keys) {
	is status('PUT', "/v1/$key", body => "of $key"), 201, "the key $key is new";
	is ask('GET', "/v1/$keys{$key}")->{body}, "of $key", "and is also written $keys{$key}";
}
is status('GET', '/v1/b'), 404, 'a path is not normalized';
is ask('GET', 'http://elsewhere:80/v1/a/b')->{body}, 'of a/b', 'an absolute URI, as a proxy sends it';
for my $bad ('%', '%4', '%zz', 'a%', '%0g', 'a#b') {
	is status('GET', "/v1/$bad"), 400, "$bad is no key";
}
is status('GET', '/v1/'), 400, 'an empty key';
is status('PUT', '/v1/' . 'k' x 64, body => 'x'), 201, 'a key of --max-key';
is status('PUT', '/v1/' . 'k' x 65, body => 'x'), 414, 'a longer one';
is status('PUT', '/v1/' . '%41' x 64, body => 'x'), 201, 'its length is counted decoded';

# Content types.
is status('PUT', '/v1/typed', body => '{}', 'Content-Type' => 'application/json; charset=utf-8'), 201, 'with a type';
is ask('GET', '/v1/typed')->{headers}{'content-type'}, 'application/json; charset=utf-8', 'which comes back';
is $answer->{body}, '{}', 'with the body';
is status('PUT', '/v1/typed', body => '{}', 'Content-Type' => 'application/octet-stream'), 204, 'of the default type';
is ask('GET', '/v1/typed')->{headers}{'content-type'}, 'application/octet-stream', 'which comes back, too';
is status('PUT', '/v1/typed', body => '{}', 'Content-Type' => 't' x 255), 204, 'a type of 255 bytes';
is ask('GET', '/v1/typed')->{headers}{'content-type'}, 't' x 255, 'which comes back';
is status('PUT', '/v1/typed', body => '{}', 'Content-Type' => 't' x 256), 400, 'a longer one';

# Other methods and places.
is status('PATCH', '/v1/a', body => 'x'), 405, 'no other method';
is $answer->{headers}{allow}, 'GET, HEAD, PUT, POST, DELETE, OPTIONS', 'these there are';
is status('OPTIONS', '/v1/a'), 204, 'OPTIONS';
is $answer->{headers}{allow}, 'GET, HEAD, PUT, POST, DELETE, OPTIONS', 'tells them';
is status('OPTIONS', '*'), 204, 'for the server as a whole, too';
is status('GET', '/'), 404, 'nothing else';
is status('GET', '/v1'), 404, 'nor without the slash';
is status('GET', '/v1/a?x=1'), 400, 'a query that nobody reads';

# Pipelined, in order.
$client->send(join '', map { Client::request_text('PUT', "/v1/pipe$_", body => "p$_") } 1 .. 20);
is_deeply [map { $client->answer->{status} } 1 .. 20], [(201) x 20], 'twenty in a row are stored';
$client->send(join '', map { Client::request_text('GET', "/v1/pipe$_") } 1 .. 20);
is_deeply [map { $client->answer->{body} } 1 .. 20], [map { "p$_" } 1 .. 20], 'and read, in order';

# Read your writes, from wherever.
my $seen = 0;
for my $i (1 .. 50) {
	ask('PUT', '/v1/mine', body => $i);
	$seen++ if $server->ask('GET', '/v1/mine')->{body} eq $i;
}
is $seen, 50, 'what was acknowledged is seen by the next, on another connection';

# HTTP/1.0.
$answer = $server->ask_raw("GET /v1/pipe1 HTTP/1.0\r\n\r\n");
is $answer->{status}, 200, 'HTTP/1.0, without Host';
is $answer->{headers}{connection}, 'close', 'is closed';

# curl, as in the README.
my $base = "http://127.0.0.1:$server->{port}/v1";
is `curl -sS -o /dev/null -w '%{http_code}' -T /etc/hostname $base/curl 2>&1`, '201', 'curl -T';
is `curl -sS $base/curl 2>&1`, `cat /etc/hostname`, 'curl';
is `curl -sS -o /dev/null -w '%{http_code}' -H 'Transfer-Encoding: chunked' -d hello $base/curl2 2>&1`, '201', 'curl, chunked';
is `curl -sS --path-as-is $base/curl2 2>&1`, 'hello', 'comes back';

ok $server->ends_well, 'the server ends well';
done_testing;
