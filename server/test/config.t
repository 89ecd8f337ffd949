#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
# Command line, environment, file: what is accepted, what is refused with one line and status 2.
use strict;
use warnings;
use File::Temp ();
use Server;
use Test::More;

my $binary = $ENV{RCUMAPD};
my $file = File::Temp->new;

# Status and output of `rcumapd --check-config` with these arguments.
sub check {
	my @args = @_;
	my $pid = open my $out, '-|' // die "fork: $!";
	if ($pid == 0) {
		open STDERR, '>&', \*STDOUT;
		exec $binary, @args, '--check-config' or exit 98;
	}
	my $text = join '', <$out>;
	close $out;
	return ($? >> 8, $text);
}

sub accepted {
	my ($status, $text) = check(@_);
	is $status, 0, "accepted: @_" or diag $text;
}

sub refused {
	my ($pattern, @args) = @_;
	my ($status, $text) = check(@args);
	is $status, 2, "refused: @args";
	is scalar(() = $text =~ /\n/g), 1, '... in one line' or diag $text;
	like $text, $pattern, '... which says what' or diag $text;
}

sub file { seek $file, 0, 0; truncate $file, 0; print $file @_; $file->flush; return '--config', $file->filename }

accepted();
accepted('--max-memory', $_) for '1M', '2g', '1.5G', '50%', '0.5%', '0', '1048576', '3GiB', '64MB';
refused(qr/--max-memory: '\Q$_\E' is/, '--max-memory', $_) for '1', 'x', '', '-1', '1X', '1.5', '1MM', '2000000T', '99999999999999999999', ' 1M', '1M ';
accepted('--max-entries', $_) for 0, 16, 1000000;
refused(qr/--max-entries/, '--max-entries', $_) for 1, 15, '1K', '1.0', 'x', '-5';
accepted('--port', $_) for 0, 65535;
refused(qr/--port/, '--port', $_) for 65536, -1, 'http', '';
accepted('--request-timeout', $_) for '1', '1500ms', '1d';
refused(qr/--request-timeout/, '--request-timeout', $_) for '0', '0.5', '2d', 'never';
accepted('--idle-timeout', $_) for '1', '1.5', '1500ms', '2m', '1d';
refused(qr/--idle-timeout/, '--idle-timeout', $_) for '0', '0.5', '2d', 'never', '1w', '';
accepted('--default-ttl', $_) for 'never', '1ms', '10', '365d';
refused(qr/--default-ttl/, '--default-ttl', $_) for '0', '-1', '99999999d', 'x';
accepted('--log-level', $_) for qw(error warn info debug);
refused(qr/--log-level/, '--log-level', 'loud');
refused(qr/--log-format/, '--log-format', 'xml');
refused(qr/--max-key/, '--max-key', $_) for 0, 65536, '64K';
refused(qr/--upload-memory/, '--max-value', '128M');
accepted('--max-value', '128M', '--upload-memory', '256M');
refused(qr/--address/, '--address', '');
accepted('--address', '', '--unix', '/tmp/x');
refused(qr/unrecognized option/, '--no-such');
refused(qr{'--check-config' is no number}, '--port');
refused(qr/'x' is none that it takes/, 'x');
refused(qr/is no size/, '--max-memory', '2 B');

accepted(file("# a comment\n\n port = 80\nmax-memory=25%\n\tlog-level = debug \n"));
refused(qr/:2: /, file("port = 80\nnonsense\n"));
refused(qr/:1: .*'prot' is no option/, file("prot = 80\n"));
refused(qr/:3: port: '70000'/, file("\n\nport = 70000\n"));
refused(qr/--config: /, '--config', '/no/such/file');
refused(qr/config/, file("config = other\n"));
{
	local $ENV{RCUMAPD_MAX_KEY} = '99';
	accepted();
	local $ENV{RCUMAPD_PORT} = 'x';
	refused(qr/environment: port: 'x'/);
	delete $ENV{RCUMAPD_PORT};
	local $ENV{RCUMAPD_NO_SUCH} = 1;
	refused(qr/RCUMAPD_NO_SUCH/);
}

# Which of them wins: command line, environment, file, preset.
sub max_key_of {
	my $server = start_server('--threads', 1, @_);
	my ($most) = grep { $server->ask('GET', '/v1/' . 'k' x ($_ + 1))->{status} == 414 } 10, 20, 30;
	$server->end('TERM');
	return $most;
}
my @file = file("max-key = 10\n");
is max_key_of(@file), 10, 'the file wins over presets';
{
	local $ENV{RCUMAPD_MAX_KEY} = 20;
	is max_key_of(@file), 20, 'the environment over the file';
	is max_key_of(@file, '--max-key', 30), 30, 'the command line over both';
}
{
	local $ENV{RCUMAPD_CONFIG} = $file->filename;
	is max_key_of(), 10, 'the environment may name the file';
}

my $help = `$binary --help`;
is $?, 0, '--help';
my @options = $help =~ /^  --([\w-]+)/mg;
cmp_ok scalar(@options), '>', 20, 'lists options';
like `$binary --version`, qr/^rcumapd \d+\.\d+\.\d+$/, '--version';

# Descriptors.
my $starved = `ulimit -n 1000; $binary --max-connections 5000 2>&1`;
is $? >> 8, 2, 'more connections than descriptors are refused';
like $starved, qr/--max-connections/, 'by name';

# What cannot be had at the start is no matter of configuration.
my $server = start_server('--threads', 1);
`$binary --port $server->{port} 2>&1`;
is $? >> 8, 1, 'a port that is taken';
ok $server->ends_well, 'the server ends well';
done_testing;
