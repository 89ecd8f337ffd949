# SPDX-License-Identifier: BSD-2-Clause
# HAProxy with the configuration that is shipped: other addresses, checks five times as often, and timeouts that end hangs alone.
package Balancer;
use strict;
use warnings;
use Fcntl;
use File::Temp;
use IO::Socket::INET;
use IO::Socket::UNIX;
use POSIX ();
use Server;
use Time::HiRes qw(time sleep);

my $shipped = 'server/deploy/haproxy.cfg';
my %started;

# Where it is; undef if it is not installed.
sub program {
	my ($found) = grep { -x } map { "$_/haproxy" } split(/:/, $ENV{PATH}), '/usr/sbin';
	return $found;
}

# Descriptors of a listening socket survive exec; the port is the kernel's choice.
sub listener {
	my $socket = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 128) // die "listen: $!";
	fcntl $socket, F_SETFD, 0 or die "fcntl: $!";
	return $socket;
}

# The text with these nodes, name => [address, port, admin port]; the others are struck out.
sub configured {
	my ($text, $nodes, $dir, $data, $statistics) = @_;
	my %seen;
	my $put = sub {
		my ($what, $to) = @_;
		$text =~ s/$what/$to/ or die "$shipped has no $what";
	};
	$text =~ s{^\tserver (\S+) \S+(.*)\n}{
		my $node = $nodes->{$1};
		$seen{$1} = 1;
		$node ? "\tserver $1 $node->[0]:$node->[1] port $node->[2]$2\n" : ''
	}gme;
	exists $seen{$_} or die "$shipped has no server $_" for keys %$nodes;
	$put->(qr/^\tbind :8080$/m, "\tbind fd\@" . fileno $data);
	$put->(qr/^\tbind 127\.0\.0\.1:8404$/m, "\tbind fd\@" . fileno $statistics);
	$put->(qr/^\tstats socket \S+/m, "\tstats socket $dir/socket");
	$put->(qr/^\tlog \/dev\/log .*\n/m, '');
	$text =~ s/^(\ttimeout (?!connect)[a-z-]+) .*/$1 60s/mg;
	$put->(qr/\binter 1s fastinter 200ms downinter 500ms/, 'inter 200ms fastinter 50ms downinter 100ms');
	return $text;
}

sub start {
	my ($class, %nodes) = @_;
	my $dir = File::Temp->newdir;
	my ($data, $statistics) = (listener(), listener());
	open my $from, '<', $shipped or die "$shipped: $!";
	my $text = configured(join('', <$from>), \%nodes, $dir, $data, $statistics);
	open my $to, '>', "$dir/cfg" or die "$dir/cfg: $!";
	print $to $text;
	close $to or die "$dir/cfg: $!";
	my $pid = fork // die "fork: $!";
	if ($pid == 0) {
		exec program(), '-q', '-db', '-f', "$dir/cfg" or POSIX::_exit(98);
	}
	$started{$pid} = 1;
	my $self = bless { pid => $pid, dir => $dir, port => $data->sockport, statistics => $statistics->sockport }, $class;
	$self->await($_, 'UP') for keys %nodes;
	return $self;
}

# A command of its stats socket; what it says.
sub tell {
	my ($self, $command) = @_;
	my $until = time + $Server::patience;
	my $socket;
	until ($socket = IO::Socket::UNIX->new(Peer => "$self->{dir}/socket")) {
		die "haproxy has ended" if waitpid($self->{pid}, POSIX::WNOHANG());
		die "haproxy: $!" if time > $until;
		sleep 0.01;
	}
	print $socket "$command\n";
	return join '', <$socket>;
}

# How it sees a node: UP, DOWN, or one of them with so many checks of so many.
sub state {
	my ($self, $node) = @_;
	my ($names, @lines) = grep { /\S/ } split /\n/, $self->tell('show stat nodes -1 -1');
	my ($column) = grep { (split /,/, $names)[$_] eq 'status' } 0 .. 40;
	my ($line) = grep { /^nodes,\Q$node\E,/ } @lines;
	return (split /,/, $line)[$column];
}

sub await {
	my ($self, $node, $state) = @_;
	my $until = time + $Server::patience;
	until ($self->state($node) eq $state) {
		die "$node is not $state" if time > $until;
		sleep 0.01;
	}
}

sub connect {
	my ($self, $port) = @_;
	return Client->new(IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port // $self->{port},
		Timeout => $Server::patience) // die "connect: $@");
}

sub ask {
	my ($self, @request) = @_;
	return $self->connect->ask(@request);
}

sub end {
	my ($self) = @_;
	kill 'KILL', $self->{pid};
	waitpid $self->{pid}, 0;
	delete $started{ $self->{pid} };
}

END {
	local $?;
	kill 'KILL', keys %started if %started;
}

1;
