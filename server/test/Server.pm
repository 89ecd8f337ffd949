# SPDX-License-Identifier: BSD-2-Clause
# A server of a test's own, and a client that sends just what it is told to. One that hangs is ended with the test.
package Server;
use strict;
use warnings;
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use JSON::PP ();
use POSIX ();
use Time::HiRes qw(time sleep);
use Exporter 'import';
our @EXPORT = qw(start_server);

# Long enough on any machine; what it ends is a hang.
our $patience = 60;
my %started;

# Start one with these options, on ports of its choice; wait until it is ready.
sub start_server {
	my @args = @_;
	my $binary = $ENV{RCUMAPD} or die "RCUMAPD: which server?";
	pipe my $read, my $write or die "pipe: $!";
	my $pid = fork // die "fork: $!";
	if ($pid == 0) {
		open STDERR, '>&', $write or POSIX::_exit(99);
		open STDOUT, '>&', $write or POSIX::_exit(99);
		exec $binary, '--port', 0, '--admin-port', 0, @args or POSIX::_exit(98);
	}
	close $write;
	my $self = bless { pid => $pid, log => '', read => $read }, 'Server';
	$started{$pid} = 1;
	$self->await_log(qr/\binfo ready$|"ready"/m);
	($self->{port}) = $self->{log} =~ /data: listening on [\d.]+:(\d+)/;
	($self->{admin}) = $self->{log} =~ /admin: listening on [\d.]+:(\d+)/;
	return $self;
}

# Read its log until that is there; returns false if it ends or says nothing for too long.
sub await_log {
	my ($self, $pattern) = @_;
	my $until = time + $patience;
	while ($self->{log} !~ $pattern) {
		my $left = $until - time;
		return 0 if $left <= 0 || !IO::Select->new($self->{read})->can_read($left);
		my $n = sysread $self->{read}, $self->{log}, 65536, length $self->{log};
		return 0 unless $n;
	}
	return 1;
}

# Its exit status (128 + n for a signal), after that signal if one is named. What it still said is in the log.
sub end {
	my ($self, $signal) = @_;
	my $pid = $self->{pid} or return;
	kill $signal, $pid if $signal;
	local $SIG{ALRM} = sub { kill 'KILL', $pid };
	alarm $patience;
	$self->await_log(qr/^no such line$/m);
	1 while waitpid($pid, 0) < 0 && $!{EINTR};
	my $status = $?;
	alarm 0;
	delete $started{$pid};
	$self->{pid} = undef;
	return $status & 127 ? 128 + ($status & 127) : $status >> 8;
}

# The test is over: it must end well. For a last check.
sub ends_well {
	my ($self) = @_;
	my $status = $self->end('TERM');
	my $unclean = $self->{log} =~ /ERROR: |runtime error|not destroyed/;
	print STDERR map { "# $_\n" } split /\n/, $self->{log} if $status || $unclean;
	return $status == 0 && !$unclean;
}

END { kill 'KILL', keys %started if %started }

# A connection to the data port, or to another.
sub connect {
	my ($self, $port) = @_;
	return Client->new(IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port // $self->{port}, Timeout => $patience)
		// die "connect: $@");
}

sub connect_unix {
	my ($self, $path) = @_;
	return Client->new(IO::Socket::UNIX->new(Peer => $path) // die "connect: $!");
}

# One request on a connection of its own: method, target, headers (pairs), then perhaps a body as `body`.
sub ask {
	my ($self, $method, $target, %headers) = @_;
	return $self->connect->ask($method, $target, %headers);
}

sub ask_admin {
	my ($self, $method, $target, %headers) = @_;
	return $self->connect($self->{admin})->ask($method, $target, %headers);
}

sub stats {
	my ($self) = @_;
	return JSON::PP::decode_json($self->ask_admin('GET', '/stats')->{body});
}

# What is sent as it is, then the first answer to it.
sub ask_raw {
	my ($self, $bytes) = @_;
	my $client = $self->connect;
	$client->send($bytes);
	return $client->answer;
}

package Client;
use strict;
use warnings;
use Errno ();
use Time::HiRes ();

sub new {
	my ($class, $socket) = @_;
	$socket->autoflush(1);
	$socket->setsockopt(6, 1, 1) if ref $socket eq 'IO::Socket::INET'; # TCP_NODELAY
	return bless { socket => $socket, buffer => '' }, $class;
}

# False if it could not all be sent: the other side has closed.
sub send {
	my ($self, $bytes) = @_;
	local $SIG{PIPE} = 'IGNORE';
	my $sent = 0;
	while ($sent < length $bytes) {
		my $n = syswrite $self->{socket}, $bytes, length($bytes) - $sent, $sent;
		next if !defined $n && $!{EINTR};
		return 0 unless $n;
		$sent += $n;
	}
	return 1;
}

sub shutdown_writing { shutdown $_[0]{socket}, 1 }

sub close { close $_[0]{socket} }

# More bytes; false at the end, or after a reset.
sub fill {
	my ($self) = @_;
	die "no answer for $Server::patience s" unless IO::Select->new($self->{socket})->can_read($Server::patience);
	return sysread $self->{socket}, $self->{buffer}, 65536, length $self->{buffer};
}

# Has the other side closed, with nothing more to say?
sub at_end {
	my ($self) = @_;
	return $self->{buffer} eq '' && !$self->fill;
}

# The next answer: status, headers (lower case), body; undef at the end. `head`: it has no body whatever its headers say.
sub answer {
	my ($self, $head) = @_;
	until ($self->{buffer} =~ /\r\n\r\n/) {
		return undef unless $self->fill;
	}
	$self->{buffer} =~ s/^(.*?)\r\n\r\n//s;
	my ($first, @lines) = split /\r\n/, $1;
	my ($status) = $first =~ m{^HTTP/1\.1 (\d{3}) } or die "no status line: $first";
	my %headers = map { /^([^:]+): (.*)$/ ? (lc $1, $2) : die "no header: $_" } @lines;
	my $size = $head || $status == 304 || $status == 204 || $status < 200 ? 0 : $headers{'content-length'} // 0;
	while (length $self->{buffer} < $size) {
		$self->fill or last;
	}
	return { status => $status, headers => \%headers, body => substr($self->{buffer}, 0, $size, '') };
}

sub request_text {
	my ($method, $target, %headers) = @_;
	my $body = delete $headers{body};
	$headers{'Content-Length'} = length $body if defined $body && !exists $headers{'Content-Length'};
	my $text = "$method $target HTTP/1.1\r\nHost: test\r\n";
	$text .= "$_: $headers{$_}\r\n" for sort grep { defined $headers{$_} } keys %headers;
	return "$text\r\n" . ($body // '');
}

sub ask {
	my ($self, $method, $target, %headers) = @_;
	$self->send(request_text($method, $target, %headers));
	return $self->answer($method eq 'HEAD');
}

1;
