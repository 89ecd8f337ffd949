# SPDX-License-Identifier: BSD-2-Clause
# What a client of its own keys knows of them: for each, what was last acknowledged, and between which two instants its life
# ends. A key is asked for and changed by one client alone, one request after the other; so what it must find is certain but
# for the instants around the end of a life.
package Shadow;
use strict;
use warnings;
use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC);

# How much later than it happened the server may think that something was: its clock is coarse.
my $tick = 0.03;
# Letters without a period that would make one place look like another.
my $state = 1;
my $filler = join '', map { chr(97 + (($state = $state * 69069 + 1 & 0xffffffff) >> 16) % 26) } 0 .. 1_001_000;

# `loses`: a service that may evict. Then what is missing is counted, and forgotten.
sub new {
	my ($class, $loses) = @_;
	return bless { loses => $loses, of => {}, evicted => 0, wrong => [] }, $class;
}

sub now { return clock_gettime(CLOCK_MONOTONIC) }

# Different ones for different numbers, whatever their size.
sub value {
	my ($key, $serial, $size) = @_;
	return substr "$key $serial " . substr($filler, $serial % 1000), 0, $size;
}

# Acknowledged: asked for at $from, answered at $to. `ttl`: seconds, undef for ever.
sub stored {
	my ($self, $key, $from, $to, $ttl, $value, $etag) = @_;
	$self->{of}{$key} = {
		value => $value, etag => $etag,
		defined $ttl ? (lives_until => $from + $ttl - $tick, dead_from => $to + $ttl + $tick, ttl => $ttl) : (),
	};
}

sub deleted {
	my ($self, $key) = @_;
	delete $self->{of}{$key};
}

# What must be found by a request between these instants: 1, 0, or undef for either.
sub expected {
	my ($self, $key, $from, $to) = @_;
	my $known = $self->{of}{$key} or return 0;
	return 1 if !defined $known->{ttl} || $to < $known->{lives_until};
	return $from > $known->{dead_from} ? 0 : undef;
}

# A request between these instants has found it there, or not. False if that is wrong.
sub seen {
	my ($self, $key, $from, $to, $there) = @_;
	my $expected = $self->expected($key, $from, $to);
	if ($there) {
		return 1 if !defined $expected || $expected;
		return $self->wrong("$key is there, but was deleted, has expired, or was never stored");
	}
	my $known = delete $self->{of}{$key};
	return 1 unless $expected;
	if ($self->{loses}) {
		$self->{evicted}++;
		return 1;
	}
	return $self->wrong("$key is lost: stored "
		. (defined $known->{ttl} ? "with a life of $known->{ttl} s, " . ($known->{lives_until} - $to) . ' s left' : 'for ever'));
}

# The same, with the value that was found.
sub found {
	my ($self, $key, $from, $to, $value) = @_;
	my $known = $self->{of}{$key};
	$self->seen($key, $from, $to, 1) or return 0;
	return 1 if $known && $known->{value} eq $value;
	return $self->wrong(sprintf '%s has another value: "%.60s...", %d bytes, for "%.60s...", %d bytes', $key, $value, length $value,
		$known->{value}, length $known->{value});
}

sub wrong {
	my ($self, $what) = @_;
	push @{$self->{wrong}}, $what if @{$self->{wrong}} < 20;
	return 0;
}

sub etag { return ($_[0]{of}{$_[1]} // {})->{etag} }

# Of what is known, how many will be there for longer than `seconds`.
sub lasting {
	my ($self, $seconds) = @_;
	my $until = now() + $seconds;
	return scalar grep { !defined $_->{ttl} || $_->{lives_until} > $until } values %{$self->{of}};
}

1;
