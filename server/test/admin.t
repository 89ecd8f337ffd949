#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
# The site for those who run the service.
use strict;
use warnings;
use JSON::PP ();
use Server;
use Test::More;

my $server = start_server('--threads', 2);
my $client = $server->connect;

$client->ask('PUT', "/v1/k$_", body => 'x' x 10) for 1 .. 7;
$client->ask('GET', "/v1/k$_") for 1 .. 9;
$client->ask('DELETE', '/v1/k1');

is $server->ask_admin('GET', '/healthz')->{status}, 200, '/healthz';
is $server->ask_admin('HEAD', '/healthz')->{status}, 200, 'by HEAD, too';

my $stats = $server->stats;
is $stats->{map}{entries}, 6, '/stats: entries';
is $stats->{counters}{hits}, 7, 'hits';
is $stats->{counters}{misses}, 2, 'misses';
is $stats->{counters}{stored}, 7, 'stores';
is $stats->{counters}{removed}, 1, 'removals';
is $stats->{counters}{bytes_in}, 70, 'bytes in';
is $stats->{counters}{bytes_out}, 70, 'bytes out';
is_deeply $stats->{requests}{get}{statuses}, { 200 => 7, 404 => 2 }, 'requests by verb and status';
is $stats->{requests}{put}{count}, 7, 'requests by verb';
cmp_ok $stats->{requests}{get}{p99_ns}, '>=', $stats->{requests}{get}{p50_ns}, 'latencies';
is $stats->{open_connections}, 1, 'connections';

my $text = $server->ask_admin('GET', '/metrics');
is $text->{status}, 200, '/metrics';
is $text->{headers}{'content-type'}, 'text/plain; version=0.0.4; charset=utf-8', 'of the right type';
my (%value, %type, @wrong);
for my $line (split /\n/, $text->{body}) {
	if ($line =~ /^# TYPE (\w+) (counter|gauge|histogram)$/) {
		push @wrong, "twice: $line" if $type{$1};
		$type{$1} = $2;
	} elsif ($line =~ /^# HELP \w+ \S/) {
	} elsif ($line =~ /^(\w+)(\{(?:\w+="[^"]*",?)+\})? ([\d.e+-]+)$/) {
		my ($name, $labels, $number) = ($1, $2 // '', $3);
		(my $family = $name) =~ s/_(bucket|sum|count)$// if !$type{$name};
		push @wrong, "no type: $line" if !$type{$name} && ($type{ $family // '' } // '') ne 'histogram';
		push @wrong, "twice: $line" if exists $value{"$name$labels"};
		$value{"$name$labels"} = $number;
	} else {
		push @wrong, $line;
	}
}
is_deeply \@wrong, [], 'as Prometheus reads it';
is $value{rcumap_entries}, 6, 'the map\'s statistics';
is $value{rcumapd_hits_total}, 7, 'what became of keys';
my $series = 'rcumapd_request_duration_seconds';
is $value{"${series}_count{verb=\"get\",status=\"200\"}"}, 7, 'requests by verb and status';
is $value{"${series}_bucket{verb=\"get\",status=\"200\",le=\"+Inf\"}"}, 7, 'in a histogram';
my @buckets = map { $value{$_} } sort { ($a =~ /le="([\d.e+-]+)/)[0] <=> ($b =~ /le="([\d.e+-]+)/)[0] }
	grep { /^${series}_bucket\{verb="get",status="200",le="\d/ } keys %value;
cmp_ok scalar(@buckets), '>', 20, 'of many buckets';
is_deeply \@buckets, [sort { $a <=> $b } @buckets], 'each with those below';
cmp_ok $value{"${series}_sum{verb=\"get\",status=\"200\"}"}, '>', 0, 'and a sum';
for my $field (keys %{ $stats->{map} }) {
	my $name = $field =~ s/_ms$/_seconds/r;
	ok exists $value{"rcumap_$name"} || exists $value{"rcumap_${name}_total"}, "$name is in both";
}

my $page = $server->ask_admin('GET', '/');
is $page->{status}, 200, 'the page';
like $page->{headers}{'content-type'}, qr{^text/html}, 'is HTML';
unlike $page->{body} =~ s{http://www\.w3\.org/2000/svg}{}gr, qr{\bsrc\s*=|href\s*=\s*"(?!data:|/)|https?:|\@import|url\(}, 'and needs nothing from elsewhere';
like $page->{headers}{'content-security-policy'}, qr{^default-src 'none';.* connect-src 'self'}, 'nor may it';

is $server->ask_admin('GET', '/flush')->{status}, 405, 'no flush by GET';
is $server->ask('GET', '/v1/k2')->{status}, 200, 'which changed nothing';
is $server->ask_admin('POST', '/flush', Origin => 'http://elsewhere')->{status}, 403, 'nor by a page of another site';
is $server->ask_admin('POST', '/flush', Origin => 'null')->{status}, 403, 'nor by one that hides where it is from';
is $server->ask('GET', '/v1/k2')->{status}, 200, 'which changed nothing, too';
is $server->ask_admin('POST', '/flush', Origin => 'http://test')->{status}, 204, 'by one of its own';
is $server->ask_admin('POST', '/flush')->{status}, 204, 'flush';
is $server->ask('GET', '/v1/k2')->{status}, 404, 'and all is gone';
is $server->stats->{map}{entries}, 0, 'as is counted';
is $server->ask_admin('POST', '/healthz')->{status}, 405, 'what is read is not written';
is $server->ask_admin('GET', '/v1/k2')->{status}, 404, 'no values here';
is $server->ask('GET', '/metrics')->{status}, 404, 'nor metrics there';
is $server->stats->{requests}{other}{count}, 0, 'admin requests are not counted';

ok $server->ends_well, 'the server ends well';
done_testing;
