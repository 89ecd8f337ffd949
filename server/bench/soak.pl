#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
# usage: soak.pl [--seconds N] [--seed N] [--sanitized]
# Mixed load on three servers at once, without limits, with one on memory, with one on entries: clients who come and go,
# break off, hang, and read slowly; values of all sizes; lives from none to hours. Each client knows of each of its keys what
# was last acknowledged (Shadow.pm): where there is no limit it must be there until its life ends, and not afterwards;
# where there is one, no more may be missing than the server says that it evicted. Meanwhile the limits must be kept, and
# memory level once it is warm: but for a --sanitized server, which itself tells of leaks, and keeps what it frees. Status 1 if
# anything of that does not hold. The server is the one of $RCUMAPD.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin, "$FindBin::Bin/../test";
use Getopt::Long;
use JSON::PP ();
use List::Util qw(max min);
use Measure qw(machine resident median bounds);
use POSIX ();
use Server;
use Shadow;
use Time::HiRes qw(time sleep);

my ($seconds, $seed, $sanitized) = (3600, time % 1e6, 0);
GetOptions('seconds=i' => \$seconds, 'seed=i' => \$seed, 'sanitized' => \$sanitized) && !@ARGV or die "see the head of $0\n";
my ($clients, $keys) = (2, 600);
# Less than what all keys take; of memory, so much that the rest of the process does not hide it.
my ($limit_memory, $limit_entries) = (12 << 20, 500);
# Longer than the run, and what follows it.
my $hours = 2 * $seconds + 7200;
my @cast = (
	{ name => 'no limit', options => ['--max-memory', 0], loses => 0, largest => 150_000 },
	{ name => 'memory', options => ['--max-memory', $limit_memory], loses => 1, largest => 1_000_000 },
	{ name => 'entries', options => ['--max-memory', 0, '--max-entries', $limit_entries], loses => 1, largest => 150_000 },
);

# ---------------------------------------------------------------------------------------------- a client

# One who does all that there is to do with keys of its own.
package Soaker;
use Socket qw(SOL_SOCKET SO_LINGER);
use Time::HiRes qw(time);

sub new {
	my ($class, $server, $name, $role) = @_;
	return bless { server => $server, name => $name, shadow => Shadow->new($role->{loses}), largest => $role->{largest}, serial => 0,
		count => { map { $_ => 0 } qw(requests stored unsure refused connections broken_off) } }, $class;
}

sub wrong { $_[0]{shadow}->wrong("$_[0]{name}: $_[1]") }
sub key { return "$_[0]{name}-" . int rand $keys }

sub size {
	my ($self) = @_;
	my $dice = rand;
	return int rand $self->{largest} * ($dice < 0.7 ? 0.002 : $dice < 0.95 ? 0.05 : 1);
}

sub ttl {
	my $dice = rand;
	return $dice < 0.5 ? undef : $dice < 0.7 ? int(rand 3000) / 1000 : $dice < 0.73 ? 0 : $hours;
}

# The server closes what is idle for so long; it is not tried half as long here, but for one who was not given a processor.
my $idle_timeout = 6;

sub client {
	my ($self) = @_;
	delete $self->{client} if $self->{client} && time - $self->{used} > $idle_timeout / 2;
	$self->{used} = time;
	return $self->{client} if $self->{client};
	$self->{count}{connections}++;
	return $self->{client} = $self->{server}->connect;
}

# An answer, and the instants around it.
sub ask {
	my ($self, @request) = @_;
	my $client = $self->client;
	my $from = Shadow::now();
	my $answer = $client->ask(@request);
	$self->{count}{requests}++;
	delete $self->{client} if !$answer || ($answer->{headers}{connection} // '') eq 'close';
	$self->wrong("no answer to $request[0] $request[1]") unless $answer || time - $self->{used} > $idle_timeout / 2;
	return $self->ask(@request) unless $answer || @{$self->{shadow}{wrong}};
	return ($answer // { status => 0, headers => {} }, $from, Shadow::now());
}

sub get {
	my ($self, $key) = @_;
	my ($answer, $from, $to) = $self->ask('GET', "/v1/$key");
	return $self->{shadow}->found($key, $from, $to, $answer->{body}) if $answer->{status} == 200;
	return $self->{shadow}->seen($key, $from, $to, 0) if $answer->{status} == 404;
	$self->wrong("GET $key: $answer->{status}");
}

sub head {
	my ($self, $key) = @_;
	my ($answer, $from, $to) = $self->ask('HEAD', "/v1/$key");
	my $known = $self->{shadow}{of}{$key};
	$self->{shadow}->seen($key, $from, $to, $answer->{status} == 200) or return;
	$answer->{status} != 200 || $answer->{headers}{'content-length'} == length $known->{value} or $self->wrong("HEAD $key: length");
}

sub new_value {
	my ($self, $key, $size) = @_;
	return Shadow::value($key, ++$self->{serial}, $size);
}

# 507 is for want of room, and leaves what was there.
sub refused {
	my ($self, $status) = @_;
	return 0 unless $status == 507;
	$self->{count}{refused}++;
	$self->wrong('refused, though there is no limit') unless $self->{shadow}{loses};
	return 1;
}

sub note_stored {
	my ($self, $key, $from, $to, $ttl, $value, $status, $etag) = @_;
	return $self->wrong("PUT $key: $status") unless $status == 201 || $status == 204;
	$self->{shadow}->seen($key, $from, $to, $status == 204);
	$self->{shadow}->stored($key, $from, $to, $ttl, $value, $etag);
	$self->{count}{stored}++;
}

sub put {
	my ($self, $key) = @_;
	my $value = $self->new_value($key, $self->size);
	my $ttl = ttl();
	my ($answer, $from, $to) = $self->ask('PUT', "/v1/$key" . (defined $ttl ? "?ttl=$ttl" : ''), body => $value);
	$self->refused($answer->{status})
		or $self->note_stored($key, $from, $to, $ttl, $value, $answer->{status}, $answer->{headers}{etag});
}

# With the tag that it has, or with one that it has not.
sub put_if {
	my ($self, $key) = @_;
	my $etag = $self->{shadow}->etag($key) or return $self->put($key);
	my $value = $self->new_value($key, $self->size);
	my $right = rand() < 0.7;
	my ($answer, $from, $to) = $self->ask('PUT', "/v1/$key", body => $value, 'If-Match' => $right ? $etag : '"none"');
	return if $self->refused($answer->{status});
	return $answer->{status} == 412 || $self->wrong("PUT $key: a wrong tag matches: $answer->{status}") unless $right;
	return $self->{shadow}->seen($key, $from, $to, 0) if $answer->{status} == 412;
	$self->note_stored($key, $from, $to, undef, $value, $answer->{status}, $answer->{headers}{etag});
}

sub delete_key {
	my ($self, $key) = @_;
	my ($answer, $from, $to) = $self->ask('DELETE', "/v1/$key");
	return $self->wrong("DELETE $key: $answer->{status}") unless $answer->{status} == 204 || $answer->{status} == 404;
	$self->{shadow}->seen($key, $from, $to, $answer->{status} == 204);
	$self->{shadow}->deleted($key);
}

# Each key once, so that the instants of the request are those of each operation.
sub batch {
	my ($self) = @_;
	my %chosen = map { $self->key => 1 } 0 .. rand 30;
	my @operations = map {
		my $dice = rand;
		my $ttl = ttl();
		$dice < 0.5 ? { op => 'get', key => $_ } : $dice < 0.6 ? { op => 'delete', key => $_ }
			: { op => 'put', key => $_, value => $self->new_value($_, rand 500), defined $ttl ? (ttl => $ttl) : () };
	} keys %chosen;
	my ($answer, $from, $to) = $self->ask('POST', '/batch', 'Content-Type' => 'application/json',
		body => JSON::PP::encode_json({ operations => \@operations }));
	return $self->wrong("batch: $answer->{status}") unless $answer->{status} == 200;
	my @results = @{JSON::PP::decode_json($answer->{body})->{results}};
	@results == @operations or return $self->wrong(@results . ' results for ' . @operations . ' operations');
	$self->batch_result($_, shift @results, $from, $to) for @operations;
}

sub batch_result {
	my ($self, $operation, $result, $from, $to) = @_;
	my ($key, $status) = ($operation->{key}, $result->{status});
	return if $self->refused($status);
	return $self->note_stored($key, $from, $to, $operation->{ttl}, $operation->{value}, $status, $result->{etag})
		if $operation->{op} eq 'put';
	return $self->{shadow}->found($key, $from, $to, $result->{value}) if $operation->{op} eq 'get' && $status == 200;
	return $self->wrong("batch: $operation->{op} $key: $status") unless $status == 404 || $status == 204;
	$self->{shadow}->seen($key, $from, $to, $status == 204);
	$self->{shadow}->deleted($key) if $operation->{op} eq 'delete';
}

# Several requests sent at once: of each, the answers are those of its own.
sub pipeline {
	my ($self) = @_;
	my %chosen = map { $self->key => 1 } 0 .. rand 20;
	my $client = $self->client;
	my $from = Shadow::now();
	$client->send(join '', map { Client::request_text('GET', "/v1/$_") } keys %chosen);
	for my $key (keys %chosen) {
		my $answer = $client->answer;
		if (!$answer) {
			delete $self->{client};
			return time - $self->{used} > $idle_timeout / 2 || $self->wrong('no answer to one of several requests');
		}
		my $to = Shadow::now();
		$self->{count}{requests}++;
		$answer->{status} == 200 ? $self->{shadow}->found($key, $from, $to, $answer->{body})
			: $self->{shadow}->seen($key, $from, $to, 0);
	}
}

# It breaks off: nothing of a body that has not come whole is stored. What has come whole may be, so it is another key.
sub break_off {
	my ($self) = @_;
	$self->{count}{broken_off}++;
	my $key = $self->key;
	my $value = $self->new_value($key, 10 + rand 50_000);
	my $whole = rand() < 0.3;
	$key = "$key-unsure" if $whole;
	my $text = Client::request_text('PUT', "/v1/$key?ttl=1", body => $value);
	$self->{count}{unsure}++ if $whole;
	my $client = $self->client;
	$client->send($whole ? $text : substr $text, 0, 1 + rand(length($text) - 1));
	# Half of them with a reset.
	setsockopt $client->{socket}, SOL_SOCKET, SO_LINGER, pack 'll', 1, 0 if rand() < 0.5;
	$client->close;
	delete $self->{client};
}

sub leave { delete $_[0]{client} }

my @habits = ([45, \&get], [22, \&put], [5, \&put_if], [8, \&delete_key], [4, \&head], [4, \&batch], [3, \&pipeline], [3, \&break_off],
	[1, \&leave]);

sub step {
	my ($self) = @_;
	my $dice = rand 95;
	for (@habits) {
		my ($weight, $habit) = @$_;
		return $habit->($self, $self->key) if ($dice -= $weight) < 0;
	}
}

sub run {
	my ($self, $until) = @_;
	$self->step while time < $until && @{$self->{shadow}{wrong}} == 0;
	$self->get("$self->{name}-$_") for 0 .. $keys - 1;
	$self->leave;
	return { %{$self->{count}}, evicted => $self->{shadow}{evicted}, lasting => $self->{shadow}->lasting($hours / 2),
		wrong => $self->{shadow}{wrong} };
}

# ---------------------------------------------------------------------------------------------- who is in the way

# Connections that say a byte now and then, ask for much and do not read it, or say nothing and end in the middle.
package Nuisance;
use Time::HiRes qw(alarm time sleep);

my $connections = 30;
my $slow = Client::request_text('PUT', '/v1/slow', body => 's' x 2000);
my $much = Client::request_text('GET', '/v1/much') x 20;

sub new {
	my ($class, $server) = @_;
	return bless { server => $server, open => {}, stored => 0 }, $class;
}

# What a connection says next: never a whole PUT.
sub next_words {
	my ($kind, $said) = @_;
	return $kind == 0 ? ($said ? '' : $much) : $kind == 1 ? substr($slow, $said % 100, $said < 100 ? 1 : 0) : $said ? '' : "GET /v1/";
}

# False if the other side does not take it, or has closed.
sub say_it {
	my ($client, $words) = @_;
	return 1 if $words eq '';
	my $sent = eval {
		local $SIG{ALRM} = sub { die "full\n" };
		alarm 0.2;
		my $sent = $client->send($words);
		alarm 0;
		$sent;
	};
	alarm 0;
	return $sent;
}

sub run {
	my ($self, $until) = @_;
	for (my $turn = 0; time < $until; $turn++) {
		if ($turn % 50 == 0) {
			my $status = $self->{server}->ask('PUT', '/v1/much', body => 'm' x 200_000)->{status};
			$self->{stored}++ if $status < 300;
		}
		for my $i (1 .. $connections) {
			my $one = $self->{open}{$i} //= { client => $self->{server}->connect, said => 0 };
			my $went = say_it($one->{client}, next_words($i % 3, $one->{said}++));
			$one->{client}->shutdown_writing if $went && $i % 3 == 2 && rand() < 0.05;
			delete $self->{open}{$i} if !$went || rand() < 0.02;
		}
		sleep 0.05;
	}
	$self->{server}->ask('DELETE', '/v1/much');
	return { stored => $self->{stored} };
}

# ---------------------------------------------------------------------------------------------- all of them

package main;

# What a child returns comes through a pipe.
sub start {
	my ($number, $play) = @_;
	pipe my $read, my $write or die "pipe: $!";
	my $pid = fork // die "fork: $!";
	if ($pid == 0) {
		close $read;
		srand $seed + $number;
		my $result = eval { $play->() } // { wrong => ["died: $@"] };
		print $write JSON::PP::encode_json($result);
		close $write;
		POSIX::_exit(0);
	}
	close $write;
	return { pid => $pid, read => $read };
}

sub result_of {
	my ($child) = @_;
	local $/;
	my $text = readline $child->{read};
	waitpid $child->{pid}, 0;
	return JSON::PP::decode_json($text || '{"wrong":["a client is gone"]}');
}

# What the server says once that is so, or after a while.
sub await_stats {
	my ($server, $wanted) = @_;
	my $until = time + 60;
	for (;;) {
		my $stats = $server->stats;
		return $stats if $wanted->($stats) || time > $until;
		sleep 0.05;
	}
}

sub begin {
	my ($role, $end) = @_;
	my $server = $role->{server} = start_server('--threads', 2, '--idle-timeout', $idle_timeout, @{$role->{options}});
	my @plays = map {
		my $name = "c$_";
		sub { Soaker->new($server, $name, $role)->run($end) }
	} 1 .. $clients;
	push @plays, sub { Nuisance->new($server)->run($end) };
	$role->{children} = [map { start($_, $plays[$_]) } 0 .. $#plays];
}

sub sample {
	my ($role, $at) = @_;
	my $map = $role->{server}->stats->{map};
	push @{$role->{samples}}, { at => $at, resident => resident($role->{server}{pid}) / 1048576,
		accounted => $map->{accounted_bytes} / 1048576, entries => $map->{entries} };
}

# What the clients say, and the server once all is quiet: lives of seconds have ended, nothing is being sent any more.
sub end {
	my ($role) = @_;
	my %sum = (wrong => []);
	for my $result (map { result_of($_) } @{$role->{children}}) {
		push @{$sum{wrong}}, @{delete $result->{wrong} // []};
		$sum{$_} += $result->{$_} for keys %$result;
	}
	my $stats = await_stats($role->{server}, sub {
		my $map = $_[0]{map};
		return !$_[0]{open_connections} && !$map->{held_entries} && !$map->{retired_pending}
			&& ($role->{loses} || $map->{entries} == $sum{lasting});
	});
	@{$role}{qw(sum stats well)} = (\%sum, $stats, $role->{server}->ends_well);
}

sub most {
	my ($role, $name) = @_;
	return max(map { $_->{$name} } @{$role->{samples}});
}

# Resident memory of the last part of the run against that of the part before, the first two fifths left out: they warm it up.
sub growth {
	my ($role) = @_;
	my @early = map { $_->{resident} } grep { $_->{at} > 0.4 && $_->{at} <= 0.7 } @{$role->{samples}};
	my @late = map { $_->{resident} } grep { $_->{at} > 0.7 } @{$role->{samples}};
	return (median(@late) - median(@early), ($seconds < 300 ? 8 : 2) + 0.05 * median(@early));
}

sub judge {
	my ($role) = @_;
	my ($name, $sum, $map, $counters) = ($role->{name}, $role->{sum}, @{$role->{stats}}{qw(map counters)});
	my ($growth, $growth_limit) = growth($role);
	my $zero = sub { [$_[0], $_[1], 'at most', 0, '%d'] };
	my $balance = $map->{inserted} - $map->{deleted} - $map->{expired} - $map->{evicted} - $map->{entries};
	my $unknown = $counters->{stored} - $sum->{stored};
	my @rows = (
		$zero->('wrong answers, lost writes', scalar @{$sum->{wrong}}),
		$zero->('acknowledged, but not stored', max(0, -$unknown)),
		$zero->('stored, but neither acknowledged nor broken off', max(0, $unknown - $sum->{unsure})),
		$zero->('entries in no account', abs $balance),
		$zero->('connections, held or retired entries that are left',
			$role->{stats}{open_connections} + $map->{held_entries} + $map->{retired_pending}),
		$zero->('a bad end', $role->{well} ? 0 : 1));
	push @rows, ['resident memory: growth once warm, MiB', $growth, 'at most', $growth_limit, '%.1f'] unless $sanitized;
	push @rows, $role->{loses} ? $zero->('missing, beyond what was evicted', max(0, $sum->{evicted} - $map->{evicted}))
		: ($zero->('entries that are missing, or nobody\'s', abs($map->{entries} - $sum->{lasting})),
		$zero->('evicted, or refused', $map->{evicted} + $map->{refused}));
	push @rows, ['the most entries', most($role, 'entries'), 'at most', $limit_entries, '%d'] if $name eq 'entries';
	push @rows, ['the most accounted memory, MiB', most($role, 'accounted'), 'at most', $limit_memory / 1048576, '%.2f']
		if $name eq 'memory';
	# The library's bound, and what the process and bodies on their way take.
	push @rows, ['the most resident memory, MiB', most($role, 'resident'), 'at most', 1.2 * $limit_memory / 1048576 + 32, '%.1f']
		if $name eq 'memory' && !$sanitized;
	$_->[0] = "$name: $_->[0]" for @rows;
	return @rows;
}

$| = 1;
printf "soak: %d s, %d servers, %d clients each, seed %d\n%s\n", $seconds, scalar @cast, $clients + 1, $seed, machine();
my $end = time + $seconds;
begin($_, $end) for @cast;
while ((my $left = $end - time) > 0) {
	sample($_, 1 - $left / $seconds) for @cast;
	sleep min($left, $seconds / 50, 5);
}
end($_) for @cast;
for my $role (@cast) {
	my ($sum, $map) = ($role->{sum}, $role->{stats}{map});
	printf "  %-10s %d requests (%.0f a second), %d connections, %d broken off; %d stored, %d refused, %d evicted, %d expired\n",
		$role->{name}, @{$sum}{qw(requests)}, $sum->{requests} / $seconds, @{$sum}{qw(connections broken_off stored refused)},
		@{$map}{qw(evicted expired)};
	print "    $_\n" for @{$sum->{wrong}};
}
exit(bounds(map { judge($_) } @cast) ? 0 : 1);
