#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
# If-Match, If-None-Match, ranges: what they let through, and what not.
use strict;
use warnings;
use Server;
use Test::More;

my $server = start_server('--threads', 1);
my $client = $server->connect;
my $answer;

sub ask { return $answer = $client->ask(@_) }
sub status { return ask(@_)->{status} }

is status('PUT', '/v1/a', body => '0', 'If-Match' => '*'), 412, 'If-Match: * on an absent key';
is status('GET', '/v1/a'), 404, 'nothing was stored';
is status('PUT', '/v1/a', body => '0123456789', 'If-None-Match' => '*'), 201, 'If-None-Match: * stores if absent';
my $etag = $answer->{headers}{etag};
is status('PUT', '/v1/a', body => 'x', 'If-None-Match' => '*'), 412, 'and only then';
is ask('GET', '/v1/a')->{body}, '0123456789', 'what was there stays';

is status('GET', '/v1/a', 'If-None-Match' => $etag), 304, 'unchanged';
is $answer->{headers}{etag}, $etag, 'with its tag';
is $answer->{headers}{'content-length'}, 10, 'and the size that it has';
is status('HEAD', '/v1/a', 'If-None-Match' => $etag), 304, 'HEAD, too';
is status('GET', '/v1/a', 'If-None-Match' => "W/$etag"), 304, 'a weak tag, where it is read';
is status('GET', '/v1/a', 'If-None-Match' => "\"x\", $etag ,\"y\""), 304, 'one of many';
is status('GET', '/v1/a', 'If-None-Match' => '*'), 304, 'whatever it is';
is status('GET', '/v1/a', 'If-None-Match' => '"x"'), 200, 'another one';
is status('GET', '/v1/a', 'If-Match' => $etag), 200, 'If-Match, where it is read';
is status('GET', '/v1/a', 'If-Match' => '"x"'), 412, 'and another';
is status('GET', '/v1/a', 'If-Match' => "W/$etag"), 412, 'a weak tag never matches strongly';
is status('GET', '/v1/none', 'If-None-Match' => '*'), 404, 'an absent key is absent';
for my $bad ('x', '"x', $etag . 'x', '', ',', 'W/') {
	is status('GET', '/v1/a', 'If-None-Match' => $bad), 400, "'$bad' is no list of tags";
	is status('PUT', '/v1/a', body => 'x', 'If-Match' => $bad), 400, '... nor for a store';
	is status('DELETE', '/v1/a', 'If-Match' => $bad), 400, '... nor for a delete';
}
is ask('GET', '/v1/a')->{body}, '0123456789', 'which changed nothing';

is status('PUT', '/v1/a', body => 'abcdefghij', 'If-Match' => $etag), 204, 'stored over the version that was seen';
is status('PUT', '/v1/a', body => 'x', 'If-Match' => $etag), 412, 'not over another one';
my $second = ask('GET', '/v1/a')->{headers}{etag};
is $answer->{body}, 'abcdefghij', 'the first one stands';
is status('DELETE', '/v1/a', 'If-Match' => $etag), 412, 'nor is another one deleted';
is status('DELETE', '/v1/a', 'If-None-Match' => $second), 412, 'nor one that is excluded';
is status('DELETE', '/v1/none', 'If-Match' => '*'), 412, 'nor what is absent';

# Ranges.
my %parts = ('bytes=0-0' => 'a', 'bytes=2-4' => 'cde', 'bytes=7-' => 'hij', 'bytes=-3' => 'hij', 'bytes=5-99' => 'fghij',
	'bytes=-99' => 'abcdefghij', 'bytes=9-18446744073709551616' => 'j');
for my $range (sort keys %parts) {
	my $from = index 'abcdefghij', $parts{$range};
	my $to = $from + length($parts{$range}) - 1;
	is status('GET', '/v1/a', Range => $range), 206, "$range is a part";
	is $answer->{body}, $parts{$range}, 'the right one';
	is $answer->{headers}{'content-range'}, "bytes $from-$to/10", 'as it says';
}
for my $range ('bytes=10-', 'bytes=-0', 'bytes=99999999999999999999999-') {
	is status('GET', '/v1/a', Range => $range), 416, "$range is not there";
	is $answer->{headers}{'content-range'}, 'bytes */10', 'which tells the size';
}
for my $range ('bytes=3-2', 'bytes=', 'bytes=-', 'bytes=a-b', 'bytes=1-2,4-5', 'lines=1-2', 'bytes=1-2x', '1-2') {
	is status('GET', '/v1/a', Range => $range), 200, "'$range' is ignored";
	is length $answer->{body}, 10, 'and all is sent';
}
is status('GET', '/v1/a', Range => 'bytes=1-2', 'If-Range' => $second), 206, 'a part of what was seen';
is status('GET', '/v1/a', Range => 'bytes=1-2', 'If-Range' => $etag), 200, 'all of what was not';
is status('GET', '/v1/a', Range => 'bytes=1-2', 'If-Range' => 'Sat, 21 Nov 2026 00:00:00 GMT'), 200, 'nor by a date';
is status('GET', '/v1/a', Range => 'bytes=1-2', 'If-None-Match' => $second), 304, 'unchanged comes first';
is status('HEAD', '/v1/a', Range => 'bytes=1-2'), 200, 'HEAD has no parts';
is status('PUT', '/v1/empty', body => ''), 201, 'of an empty value';
is status('GET', '/v1/empty', Range => 'bytes=0-'), 416, 'there are no parts';
is status('GET', '/v1/empty', Range => 'bytes=-5'), 416, 'not even the last';

is status('DELETE', '/v1/a', 'If-Match' => $second), 204, 'the version that is there is deleted';
is status('GET', '/v1/a'), 404, 'and gone';

# Of many who store the first, one does.
my @clients = map { $server->connect } 1 .. 20;
$_->send(Client::request_text('PUT', '/v1/once', body => 'x', 'If-None-Match' => '*')) for @clients;
my @statuses = sort map { $_->answer->{status} } @clients;
is_deeply \@statuses, [201, (412) x 19], 'of twenty who store if it is absent, one does';

# Another run has other tags, though versions begin anew.
my $other = start_server('--threads', 1);
$other->ask('PUT', '/v1/a', body => 'x');
my $tag = $other->ask('GET', '/v1/a')->{headers}{etag};
isnt +($tag =~ /^"(\w+)-/)[0], ($etag =~ /^"(\w+)-/)[0], 'another run has another epoch';
ok $other->ends_well, 'the other server ends well';
ok $server->ends_well, 'the server ends well';
done_testing;
