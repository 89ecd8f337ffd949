# SPDX-License-Identifier: BSD-2-Clause
# What the measurements of rcumapd and its rivals share: servers on a core of their own, what they take, medians, and what
# must hold, in the table of bench/bound.c.
package Measure;
use strict;
use warnings;
use File::Temp ();
use IO::Socket::INET;
use POSIX ();
use Time::HiRes qw(time sleep);
use Exporter 'import';
our @EXPORT = qw(cores machine free_port start_server start_rcumapd scratch run_on cpu_seconds machine_seconds resident
	median bounds);

# What does not answer for so long hangs.
my $patience = 60;
my $ticks = POSIX::sysconf(POSIX::_SC_CLK_TCK());
my %started;
END { kill 'KILL', keys %started if %started }
$SIG{$_} = sub { exit 130 } for qw(INT TERM HUP);

sub slurp {
	my ($path) = @_;
	open my $file, '<', $path or return '';
	local $/;
	return scalar <$file> // '';
}

# The processors that this process may use.
sub cores {
	my ($list) = slurp('/proc/self/status') =~ /^Cpus_allowed_list:\s*(\S+)/m or die "no list of processors";
	return map { /^(\d+)-(\d+)$/ ? $1 .. $2 : $_ } split /,/, $list;
}

# One line: where, and from what.
sub machine {
	my ($cpu) = slurp('/proc/cpuinfo') =~ /^model name\s*:\s*(.*)$/m;
	my ($kernel) = slurp('/proc/version') =~ /^(\S+ \S+ \S+)/;
	my ($memory) = slurp('/proc/meminfo') =~ /^MemTotal:\s*(\d+)/m;
	my $commit = `git describe --always --dirty=+ 2>/dev/null` || 'unknown';
	chomp $commit;
	return sprintf "%s, %d cores, %.0f GiB, %s; commit %s; %s UTC\n", $cpu // 'unknown processor', scalar cores(),
		$memory / 1048576, $kernel, $commit, POSIX::strftime('%Y-%m-%d %H:%M', gmtime);
}

# A directory that goes with the process.
my $scratch;
sub scratch { return $scratch //= File::Temp->newdir('rcumapd-XXXXXX', TMPDIR => 1) }

sub free_port {
	my $socket = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1) or die "no port: $@";
	return $socket->sockport;
}

sub spawn {
	my ($core, $output, @command) = @_;
	my $pid = fork // die "fork: $!";
	if ($pid == 0) {
		%started = ();
		open STDOUT, '>', $output or POSIX::_exit(99);
		open STDERR, '>&', \*STDOUT or POSIX::_exit(99);
		exec 'taskset', '-c', $core, @command or POSIX::_exit(98);
	}
	return $pid;
}

# A server on these cores, once it takes connections: { name, pid, port }. It must stay in the foreground.
sub start_server {
	my ($name, $core, $port, @command) = @_;
	my $log = scratch() . "/$name.log";
	my $pid = spawn($core, $log, @command);
	$started{$pid} = 1;
	my $until = time + $patience;
	until (IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port)) {
		die "$name does not start: " . slurp($log) . "\n" if waitpid($pid, POSIX::WNOHANG()) || time > $until;
		sleep 0.01;
	}
	return bless { name => $name, pid => $pid, port => $port, log => $log }, 'Measure::Server';
}

sub start_rcumapd {
	my ($core, @options) = @_;
	my ($port, $admin) = (free_port(), free_port());
	my $binary = $ENV{RCUMAPD} // 'build/release/server/rcumapd';
	my $server = start_server('rcumapd', $core, $port, $binary, '--port', $port, '--admin-port', $admin, @options);
	$server->{admin} = $admin;
	return $server;
}

# What a program prints, run to its end on these cores.
sub run_on {
	my ($core, @command) = @_;
	my $output = scratch() . '/output';
	my $pid = spawn($core, $output, @command);
	waitpid $pid, 0;
	die "@command: status " . ($? >> 8) . ': ' . slurp($output) . "\n" if $?;
	return slurp($output);
}

# Processor time that a process has taken so far: of its own, the kernel's for it. A resolution of 10 ms.
sub cpu_seconds {
	my ($pid) = @_;
	my @field = split ' ', slurp("/proc/$pid/stat") =~ s/^.*\) //sr;
	return map { $_ / $ticks } @field[11, 12];
}

# Processor time that all have taken of these cores, and what the hypervisor gave to others.
sub machine_seconds {
	my $sum = 0;
	my $stat = slurp('/proc/stat');
	for my $core (@_) {
		my ($user, $nice, $system, $idle, $wait, $irq, $soft, $steal) = split ' ', $stat =~ /^cpu$core (.*)$/m ? $1 : '';
		$sum += $user + $nice + $system + $irq + $soft + $steal;
	}
	return $sum / $ticks;
}

sub resident {
	my ($pid) = @_;
	my ($pages) = slurp("/proc/$pid/statm") =~ /^\d+ (\d+)/ or die "process $pid is gone";
	return $pages * POSIX::sysconf(POSIX::_SC_PAGESIZE());
}

sub median {
	my @sorted = sort { $a <=> $b } @_;
	return ($sorted[$#sorted / 2] + $sorted[@sorted / 2]) / 2;
}

# What must hold: rows of [what, value, 'at least' or 'at most', limit, format]. Returns whether all do.
sub bounds {
	my $held = 0;
	printf "\n  %-60s%12s%22s%12s\n", 'what must hold', 'measured', 'bound', 'margin';
	for my $row (@_) {
		my ($what, $value, $side, $limit, $format) = @$row;
		my $holds = $side eq 'at least' ? $value >= $limit : $value <= $limit;
		my $margin = $side eq 'at least' ? $limit && $value / $limit : $value && $limit / $value;
		printf "  %-60s%12s%12s%10s%12s  %s\n", $what, sprintf($format, $value), $side, sprintf($format, $limit),
			$margin ? sprintf('%.2f x', $margin) : '', $holds ? 'holds' : 'MISSED';
		$held += $holds;
	}
	printf "\n  %d of %d hold.\n", $held, scalar @_;
	return $held == @_;
}

package Measure::Server;

sub log { return Measure::slurp($_[0]{log}) }

# Its exit status, after SIGTERM; 128 + n for a signal.
sub end {
	my ($self) = @_;
	kill 'TERM', $self->{pid};
	waitpid $self->{pid}, 0;
	my $status = $?;
	delete $started{$self->{pid}};
	return $status & 127 ? 128 + ($status & 127) : $status >> 8;
}

1;
