#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
# What is said of the options in three places is the same: --help, the manual page, the example of a configuration file.
use strict;
use warnings;
use File::Temp ();
use Test::More;

my $page = 'server/rcumapd.8';
my $example = 'server/deploy/rcumapd.conf';
my $binary = $ENV{RCUMAPD} or die "RCUMAPD: which server?";

sub contents {
	my ($path) = @_;
	open my $in, '<', $path or die "$path: $!";
	local $/;
	return <$in>;
}

# Lines of "name argument default", in the order in which they stand; '-' for none.
my @help = map { /^  --([a-z-]+)(?: ([A-Z]+))?  .*?(?: \[([^\]]*)\])?$/ ? join ' ', $1, map { $_ // '-' } $2, $3 : () }
	split /\n/, `$binary --help`;
cmp_ok scalar(@help), '>', 20, '--help lists options';

my ($options) = contents($page) =~ /^\.Sh OPTIONS\n(.*?)^\.Sh /ms;
my @manual;
for my $item (split /^(?=\.It )/m, $options) {
	my ($name, $argument) = $item =~ /^\.It Fl Fl ([a-z-]+)(?: Ar ([A-Z]+))?$/m or next;
	my ($default) = $item =~ /^Default: (.*)\.$/m;
	push @manual, join ' ', $name, map { $_ // '-' } $argument, $default;
}
is_deeply \@manual, \@help, 'the manual page has them, with their arguments and defaults';

my $text = contents($example);
my @example = map { /^#([a-z-]+) =(?: (.*))?$/ ? join ' ', $1, $2 // '-' : () } split /\n/, $text;
is_deeply \@example, [map { /^(\S+) [A-Z]+ (.*)/ && $1 ne 'config' ? "$1 $2" : () } @help], "$example has those that a file may set";
my $all = File::Temp->new;
print $all $text =~ s/^#(?=[a-z-]+ =)//mgr;
$all->flush;
is `$binary --check-config --config $example 2>&1`, "rcumapd: the configuration is well\n", 'it is well';
is `$binary --check-config --config $all 2>&1`, "rcumapd: the configuration is well\n", 'and with all of it in force';

SKIP: {
	skip 'mandoc is not installed', 1 unless grep { -x "$_/mandoc" } split /:/, $ENV{PATH};
	# Whether other pages are there, and known, is this machine's affair.
	is join('', grep { !/mandoc\.db|referenced manual not found/ } `mandoc -T lint -W style $page 2>&1`), '', 'mandoc finds no fault with the page';
}
done_testing;
