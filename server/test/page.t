#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
# The admin page in headless Chromium while the server works: its numbers are the server's, it fits into a narrow window,
# it says when the server drains, is gone, and is back. Pictures of it are left beside the server that was tested.
use strict;
use warnings;
use utf8;
use Browser;
use File::Basename 'dirname';
use Server;
use Test::More;
use Time::HiRes 'time';

plan skip_all => 'there is no Chromium to look at the page with' unless Browser::program();

binmode $_, ':utf8' for map { Test::More->builder->$_ } qw(output failure_output);

my @options = ('--threads', 2, '--max-memory', '2M', '--drain-delay', '60s', '--max-connections', 100);
my $server = start_server(@options);
my $client = $server->connect;

# Rounds of twenty-one requests: values of 1000 bytes under new keys, every other one with a short life; what was stored
# last is found, what was never stored is not.
my $last = 0;
sub load {
	for (1 .. $_[0]) {
		my $text = Client::request_text('POST', '/batch', body => '{"operations": [{"op": "get", "key": "none"}]}');
		for (1 .. 6) {
			$last++;
			$text .= Client::request_text('PUT', $last % 2 ? "/v1/$last?ttl=0.2" : "/v1/$last", body => 'x' x 1000);
			$text .= Client::request_text('GET', "/v1/$last") . Client::request_text('GET', '/v1/none');
		}
		$text .= Client::request_text('DELETE', "/v1/$last") . Client::request_text('DELETE', '/v1/none');
		$client->send($text);
		$client->answer for 1 .. 21;
	}
}

my $browser = Browser->start;
$browser->look('light', 1280, 900);
$browser->open("http://127.0.0.1:$server->{admin}/#every=0.2");
ok $browser->await('document.getElementById("state")?.textContent === "serving"'), 'it says that the server serves';

# Until it has seen all there is to see: what is at the limit is evicted, what has a life expires.
my $all_told = '[...document.querySelectorAll(".value")].every(e => /\d/.test(e.textContent))';
my $seen = sub {
	my $map = $server->stats->{map};
	return $map->{evicted} && $map->{expired} && $browser->value("$all_told && samples.length > 12 && polls.at(-1).stats.map.evicted > 0");
};
my $until = time + $Server::patience;
do { load(10) } until $seen->() || time > $until;

my %shown = map { $_ => $browser->value("document.querySelector('#$_ .value').textContent") } qw(throughput ratio latency memory entries gone);
like $shown{throughput}, qr{^(?!0 )[\d.]+( k)? requests/s$}, "throughput: $shown{throughput}";
like $shown{ratio}, qr/^\d[\d.]* %/, "hit ratio: $shown{ratio}";
like $shown{latency}, qr/^\d[\d.]* (µs|ms|s) p99$/, "latency: $shown{latency}";
like $shown{memory}, qr/^[\d.]+ [KM]iB of 2.00 MiB$/, "memory: $shown{memory}";
like $shown{entries}, qr/^[1-9]\d*/, "entries: $shown{entries}";
like $shown{gone}, qr{^[\d.]+.* entries/s$}, "evicted and expired: $shown{gone}";
unlike $browser->value('document.body.innerText'), qr/NaN|undefined|Infinity|\[object/, 'no number is none';
is $browser->value('[...document.querySelectorAll(".plot")].filter(p => [...p.querySelectorAll("path")].some(l => /L/.test(l.getAttribute("d")))).length'),
	6, 'six charts have lines';
is $browser->value('[...document.querySelectorAll(".plot path, .plot line")].filter(e => /NaN|Infinity/.test(e.outerHTML)).length'), 0,
	'drawn where they can be seen';
like $browser->value('document.querySelector("#latency .plot").ariaLabel'), qr/^Latency, all verbs: p50 \S/, 'a chart tells those who do not see it';

# Now that nothing happens, what it shows is what /stats says.
sub settled {
	my ($selector, $before, $number) = @_;
	return $browser->await("document.querySelector('$selector').textContent.includes('$before ' + count($number))");
}
is $browser->value('[9999, 12345, 2.5e6].map(count).join()'), '9999,12.3 k,2.50 M', 'large numbers are shortened';
my $stats = $server->stats;
ok settled('#verbs tbody', 404, $stats->{requests}{delete}{statuses}{404}), 'statuses by verb are counted';
ok settled('#totals', 'batch operations', $stats->{counters}{batch_items}), 'operations of batches, too';
ok settled('#facts', 'of', 100), 'connections against their limit';
ok $browser->await('samples.at(-1).requests === 0 && samples.at(-1).p99 === null && samples.at(-1).ratio === null'),
	'without requests nothing is made up';
my ($bounds, $get) = ($stats->{bucket_bounds_ns}, $stats->{requests}{get});
is scalar @{ $get->{buckets} }, 1 + @$bounds, 'each bucket has its bound, but the last';
cmp_ok abs($browser->value("quantile(@{[JSON::PP::encode_json($get->{buckets})]}, @{[JSON::PP::encode_json($bounds)]}, .99)") - $get->{p99_ns}), '<=', 1,
	'a percentile is reckoned as the server does';

# In each theme, wide and narrow. One that was not drawn at all would be of a few KB.
my $directory = dirname($ENV{RCUMAPD}) . '/test';
mkdir $directory;
my %width = (light => 1280, dark => 1280, narrow => 380);
my %ground;
load(10);
for my $name (sort keys %width) {
	$browser->look($name eq 'dark' ? 'dark' : 'light', $width{$name}, 900);
	$browser->value('shots = samples.length');
	load(3);
	$browser->await("samples.length > shots && innerWidth === $width{$name}");
	cmp_ok length $browser->screenshot("$directory/page-$name.png"), '>', 20000, "a picture: $directory/page-$name.png";
	$ground{$name} = $browser->value('getComputedStyle(document.body).backgroundColor');
	cmp_ok $browser->value('document.documentElement.scrollWidth'), '<=', $width{$name}, "$name: nothing sticks out";
}
isnt $ground{dark}, $ground{light}, 'dark is another theme';

# The server goes, and comes back.
kill 'TERM', $server->{pid};
ok $browser->await('document.getElementById("state").textContent === "draining"'), 'it says that the server drains';
ok $browser->value('!document.getElementById("notice").hidden'), 'and what that means';
my $port = $server->{admin};
$server->end('KILL');
ok $browser->await('document.getElementById("state").textContent === "unreachable"'), 'it says that the server is gone';
ok $browser->value('document.body.classList.contains("stale")'), 'and that its numbers are old';
my $second = start_server(@options, '--admin-port', $port);
ok $browser->await('document.getElementById("state").textContent === "serving"'), 'it says that the server is back';
ok $browser->await('document.getElementById("verbs").textContent.includes("No request yet")'), 'which has counted nothing yet';
is_deeply [$browser->complaints], [], 'no script has failed';
ok $second->end('KILL'), 'ended';

done_testing;
