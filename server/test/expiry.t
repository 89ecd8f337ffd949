#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
# Lives: how they are asked for, what is told of them, and that they end.
use strict;
use warnings;
use Server;
use Test::More;
use Time::HiRes qw(sleep time);

my $server = start_server('--threads', 1);
my $client = $server->connect;
my $answer;

sub ask { return $answer = $client->ask(@_) }
sub status { return ask(@_)->{status} }

is status('PUT', '/v1/a?ttl=100', body => 'x'), 201, 'a life of 100 s';
ask('GET', '/v1/a');
cmp_ok $answer->{headers}{'rcumap-ttl'}, '<=', 100, 'at most that is left';
cmp_ok $answer->{headers}{'rcumap-ttl'}, '>', 30, 'and not much less';
like $answer->{headers}{'cache-control'}, qr/^max-age=\d+$/, 'caches are told';
is status('PUT', '/v1/a', body => 'x', 'Cache-Control' => 'no-cache, Max-Age="50"'), 204, 'by max-age';
cmp_ok ask('GET', '/v1/a')->{headers}{'rcumap-ttl'}, '<=', 50, 'at most that';
is status('PUT', '/v1/a?ttl=100', body => 'x', 'Cache-Control' => 'max-age=5'), 204, 'the query wins';
cmp_ok ask('GET', '/v1/a')->{headers}{'rcumap-ttl'}, '>', 5, 'over the header';
is status('PUT', '/v1/a', body => 'x', 'Cache-Control' => 'no-store="max-age=1"'), 204, 'none';
ok !exists ask('GET', '/v1/a')->{headers}{'rcumap-ttl'}, 'is for good';
for my $most ('6324480000', '1.5', '.5', '3.', '0.000000001') {
	is status('PUT', "/v1/a?ttl=$most", body => 'x'), 204, "ttl=$most";
}
for my $bad ('-1', '-0', '', '1e3', 'x', '1.2.3', '+1', '6324480001', '99999999999999999999', 'inf', 'nan', '%31', '.', ' 1') {
	(my $query = $bad) =~ s/ /%20/;
	is status('PUT', "/v1/a?ttl=$query", body => 'y'), 400, "ttl=$bad is none";
	next if $bad eq '' || $bad eq '%31' || $bad eq ' 1';
	is status('PUT', '/v1/a', body => 'y', 'Cache-Control' => "max-age=$bad"), 400, '... nor for max-age';
}
is status('PUT', '/v1/a?ttl=1&ttl=2', body => 'y'), 400, 'two lives';
is status('GET', '/v1/a?ttl=1'), 400, 'a life for what is read';
like status('PUT', '/v1/a?ttl=100&', body => 'z'), qr{^20[14]$}, 'an empty parameter is none';

is status('PUT', '/v1/a?ttl=0', body => 'x'), 204, 'a life of 0 is accepted';
ok !exists $answer->{headers}{etag}, 'and has no version';
is status('GET', '/v1/a'), 404, 'for it is over';
is status('PUT', '/v1/new?ttl=0', body => 'x'), 201, 'for a new key, too';
is status('GET', '/v1/new'), 404, 'which is not there';

# It is there until its life ends, and not afterwards.
my $began = time;
is status('PUT', '/v1/short?ttl=0.5', body => 'x'), 201, 'a life of half a second';
my $found = status('GET', '/v1/short');
ok $found == 200 || time - $began >= 0.5, 'found, in time';
sleep 0.05 while status('GET', '/v1/short') == 200 && time - $began < $Server::patience;
cmp_ok time - $began, '>=', 0.5, 'it lives as long as it was told to';
is status('GET', '/v1/short'), 404, 'and then is gone';
is status('PUT', '/v1/short', body => 'x', 'If-None-Match' => '*'), 201, 'as if it had never been there';

# Age is the time since it was stored.
is status('PUT', '/v1/old', body => 'x'), 201, 'stored';
sleep 0.05 until ask('GET', '/v1/old')->{headers}{age} > 0 || time - $began > $Server::patience;
cmp_ok $answer->{headers}{age}, '>=', 1, 'it gets older';

# What expires gives its memory back without being asked for.
$client->ask('PUT', "/v1/many$_?ttl=0.2", body => 'x') for 1 .. 100;
my $until = time + $Server::patience;
sleep 0.05 while $server->stats->{map}{expired} < 100 && time < $until;
cmp_ok $server->stats->{map}{expired}, '>=', 100, 'expired entries are removed';

my $default = start_server('--threads', 1, '--default-ttl', '1m');
$default->ask('PUT', '/v1/a', body => 'x');
cmp_ok $default->ask('GET', '/v1/a')->{headers}{'rcumap-ttl'}, '<=', 60, '--default-ttl';
ok $default->ends_well, 'the other server ends well';
ok $server->ends_well, 'the server ends well';
done_testing;
