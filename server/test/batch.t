#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
# Many operations in one request.
use strict;
use warnings;
use JSON::PP ();
use Server;
use Test::More;

my $server = start_server('--threads', 1, '--max-value', '1000', '--max-key', 8, '--max-batch', '64K');
my $client = $server->connect;
my $batches = 0;
my ($true, $json) = (JSON::PP::true, JSON::PP->new->canonical);

sub batch {
	my $answer = $client->ask('POST', '/batch', body => $json->utf8->encode({ operations => [@_] }));
	is $answer->{status}, 200, 'the batch is answered';
	$batches++;
	return @{ $json->decode($answer->{body})->{results} };
}

sub statuses { return [map { $_->{status} } batch(@_)] }

is_deeply statuses({ op => 'put', key => 'a', value => '1' }, { op => 'get', key => 'a' },
	{ op => 'put', key => 'a', value => '2', ttl => 100, type => 'text/plain' }, { op => 'delete', key => 'b' },
	{ op => 'put', key => 'b', value => '' }, { op => 'delete', key => 'b' }, { op => 'get', key => 'b' }),
	[201, 200, 204, 404, 201, 204, 404], 'operations are done in order';
my ($got) = batch({ op => 'get', key => 'a' });
is $got->{value}, '2', 'the value';
is $got->{type}, 'text/plain', 'its type';
cmp_ok $got->{ttl}, '<=', 100, 'its life';
is $got->{age}, 0, 'its age';
my $single = $client->ask('GET', '/v1/a');
is $single->{headers}{etag}, $got->{etag}, 'and its tag are those of a single request';
is $single->{headers}{'content-type'}, 'text/plain', 'the type, too';

# Bytes.
my @binary = batch({ op => 'put', key64 => 'AP8=', value64 => '/wA=' }, { op => 'get', key64 => 'AP8=' },
	{ op => 'put', key => "\x{e9}\0", value => "\x{20ac}\0x" }, { op => 'get', key => "\x{e9}\0" },
	{ op => 'get', key => 'a', base64 => $true });
is_deeply [map { $_->{status} } @binary], [201, 200, 201, 200, 200], 'bytes that are no text';
is $binary[1]{value64}, '/wA=', 'come back in base64';
is $binary[3]{value}, "\x{20ac}\0x", 'text as text';
is $binary[4]{value64}, 'Mg==', 'or as base64, where that is asked for';
is $client->ask('GET', '/v1/%00%ff')->{body}, "\xff\0", 'under the same key as by a single request';
is $client->ask('GET', '/v1/%c3%a9%00')->{body}, "\xe2\x82\xac\0x", 'text is UTF-8';

# Conditions.
is_deeply statuses({ op => 'put', key => 'c', value => '1', if_none_match => '*' },
	{ op => 'put', key => 'c', value => '2', if_none_match => '*' }, { op => 'delete', key => 'c', if_match => '"x"' },
	{ op => 'put', key => 'c', value => '2', if_match => 'x' }, { op => 'delete', key => 'c', if_match => '*' }),
	[201, 412, 412, 400, 204], 'conditions';

# What is wrong with one leaves the others.
is_deeply statuses({ op => 'put', key => 'd', value => '1', ttl => -1 }, { op => 'put', key => 'd', value => '1', ttl => 'x' },
	{ op => 'put', key => 'd' }, { op => 'put', key => 'd', value => 1 }, { op => 'put', key => 'd', value => '', value64 => '' },
	{ op => 'put', key => 'd', value64 => '!' }, { op => 'put', key => '', value => '' }, { op => 'jump', key => 'd' },
	{ key => 'd' }, { op => 'get' }, { op => 'get', key => 'd', tll => 1 }, 'x', [], { op => 'put', key => 'd' x 9, value => '' },
	{ op => 'put', key => 'd', value => 'x' x 1001 }, { op => 'put', key => 'd', value => 'x', type => "a\r\nb" },
	{ op => 'put', key => 'd', value => 'x', type => 't' x 256 }, { op => 'put', key => 'd', value => 'x', type => 3 },
	{ op => 'put', key => 'd', value => 'x', ttl => 1e300 },
	{ op => 'get', key => 'd', base64 => 'yes' }, { op => 'get', key => 'd' }, { op => 'put', key => 'd', value => 'x' x 1000 }),
	[(400) x 13, 414, 413, 400, 400, 400, 400, 400, 404, 201], 'what is wrong is refused by itself';
is_deeply statuses({ op => 'put', key => 'e', value => 'x', ttl => 0 }, { op => 'get', key => 'e' }), [201, 404], 'a life of 0';
is_deeply statuses({ op => 'put', key => 'e', value => 'x', ttl => '1.5' }, { op => 'get', key => 'e' }), [201, 200],
	'a life as text';
is_deeply statuses(), [], 'an empty batch';

# What is wrong with all of it.
for my $bad ('', '{', '[]', '{}', '{"operations": 1}', '{"operations": [], "operations": []}', "\xff", '{"operations": []} x',
	'[' x 5000) {
	is $client->ask('POST', '/batch', body => $bad)->{status}, 400, substr($bad, 0, 40) . ' is no batch';
}
is $client->ask('POST', '/batch', body => '{"operations": [' . join(',', (0) x 10001) . ']}')->{status}, 413, 'too many operations';
is $client->ask('POST', '/batch', body => ' ' x 65537)->{status}, 413, 'more than --max-batch';
is $client->ask('GET', '/batch')->{status}, 405, 'GET';
is $client->ask('POST', '/batch?ttl=1', body => '{}')->{status}, 400, 'a life for the whole';

# What takes little to send, and much to keep: 8 MB of this would be 600 once parsed.
{
	my $large = start_server('--threads', 1);
	my $client = $large->connect;
	my $of = sub { $client->ask('POST', '/batch', body => "{\"operations\": [[$_[0]]]}")->{status} };
	is $of->(join ',', ('{}') x 50000), 200, 'many values';
	is $of->(join ',', ('{}') x 200000), 413, 'too many objects';
	is $of->(join ',', ('0') x 200000), 413, 'too many numbers';
	is $of->('[' x 200000), 413, 'too many arrays';
	is $of->('"' . '\\",{[' x 200000 . '"'), 200, 'they do not count in a string';
	my $most = '{"op": "put", "key": "a", "value": "", "ttl": 9, "type": "", "base64": false, "if_match": "*", "if_none_match": "*"}';
	is $client->ask('POST', '/batch', body => '{"operations": [' . join(',', ($most) x 10000) . ']}')->{status}, 200,
		'the largest operations are not too many';
	ok $large->ends_well, 'the server ends well';
}

# An answer is as bounded as a batch.
my @results = batch(map { { op => 'get', key => 'd' } } 1 .. 100);
cmp_ok scalar(grep { $_->{status} == 200 } @results), '>', 40, 'as many as have room are answered';
cmp_ok scalar(grep { $_->{status} == 413 } @results), '>', 20, 'others are refused';
cmp_ok length $json->encode(\@results), '<', 2 * 65536, 'so that it stays small';

is_deeply statuses({ op => 'put', key => 'f', value => "\x01" x 1000 }, { op => 'put', key => 'g', value => '"\\' x 500 }),
	[201, 201], 'what JSON must escape';
for my $key ('f', 'g') {
	my $body = $json->encode({ operations => [map { { op => 'get', key => $key } } 1 .. 100] });
	cmp_ok length $client->ask('POST', '/batch', body => $body)->{body}, '<', 65536 + 100 * 100, 'is counted escaped';
	$batches++;
}

$client->ask('GET', '/v1/none'); # when this is answered, what was before is counted
is $server->stats->{requests}{batch}{statuses}{200}, $batches, 'batches are counted';
ok $server->ends_well, 'the server ends well';
done_testing;
