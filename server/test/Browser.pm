# SPDX-License-Identifier: BSD-2-Clause
# A headless Chromium with one page, driven by its debugging protocol over two pipes: https://chromedevtools.github.io/.
package Browser;
use strict;
use warnings;
use Fcntl ();
use File::Temp ();
use IO::Select;
use JSON::PP ();
use MIME::Base64 ();
use POSIX ();
use Time::HiRes qw(time sleep);

# Long enough on any machine; what it ends is a hang.
our $patience = 60;

# The program, if it is installed.
sub program {
	for my $name (qw(chromium chromium-browser google-chrome)) {
		for my $directory (split /:/, $ENV{PATH}) {
			return "$directory/$name" if -x "$directory/$name";
		}
	}
	return undef;
}

# The browser reads commands from descriptor 3 and writes to 4; each ends with a zero byte.
sub start {
	my ($class) = @_;
	my $profile = File::Temp->newdir;
	pipe my $in, my $commands or die "pipe: $!";
	pipe my $answers, my $out or die "pipe: $!";
	my $pid = fork // die "fork: $!";
	if ($pid == 0) {
		my ($from, $to) = map { POSIX::dup2(fileno $_->[0], $_->[1] + 20) } [$in, 3], [$out, 4];
		POSIX::dup2($from, 3);
		POSIX::dup2($to, 4);
		open STDOUT, '>', '/dev/null';
		open STDERR, '>', '/dev/null';
		setpgrp;
		exec program(), qw(--headless=new --remote-debugging-pipe --no-sandbox --disable-gpu --disable-dev-shm-usage),
			qw(--no-first-run --disable-extensions --disable-background-networking --disable-component-update),
			qw(--hide-scrollbars), "--user-data-dir=$profile", 'about:blank' or POSIX::_exit(98);
	}
	my $self = bless { pid => $pid, owner => $$, profile => $profile, commands => $commands, answers => $answers, buffer => '', last => 0 },
		$class;
	my ($page) = grep { $_->{type} eq 'page' } @{ $self->call('Target.getTargets')->{targetInfos} };
	$page //= $self->call('Target.createTarget', url => 'about:blank');
	$self->{session} = $self->call('Target.attachToTarget', targetId => $page->{targetId}, flatten => JSON::PP::true)->{sessionId};
	$self->call('Runtime.enable');
	return $self;
}

# What the page complained of: exceptions, errors on its console.
sub complaints { @{ $_[0]{complaints} // [] } }

sub message {
	my ($self) = @_;
	while (index($self->{buffer}, "\0") < 0) {
		die "the browser says nothing for $patience s" unless IO::Select->new($self->{answers})->can_read($patience);
		sysread $self->{answers}, $self->{buffer}, 1 << 20, length $self->{buffer} or die "the browser has ended";
	}
	my $text = substr $self->{buffer}, 0, 1 + index($self->{buffer}, "\0"), '';
	chop $text;
	return JSON::PP::decode_json($text);
}

# A command, and its result.
sub call {
	my ($self, $method, %params) = @_;
	my $command = { id => ++$self->{last}, method => $method, params => \%params };
	$command->{sessionId} = $self->{session} if $self->{session};
	syswrite $self->{commands}, JSON::PP::encode_json($command) . "\0" or die "browser: $!";
	for (;;) {
		my $message = $self->message;
		if (($message->{method} // '') eq 'Runtime.exceptionThrown') {
			my $thrown = $message->{params}{exceptionDetails};
			push @{ $self->{complaints} }, $thrown->{exception}{description} // $thrown->{text};
		}
		next unless ($message->{id} // 0) == $self->{last};
		die "$method: $message->{error}{message}" if $message->{error};
		return $message->{result};
	}
}

sub open { $_[0]->call('Page.navigate', url => $_[1]) }

# The value of an expression of JavaScript.
sub value {
	my ($self, $expression) = @_;
	my $result = $self->call('Runtime.evaluate', expression => $expression, returnByValue => JSON::PP::true);
	die "$expression: $result->{exceptionDetails}{text}" if $result->{exceptionDetails};
	return $result->{result}{value};
}

# Wait until the expression is true; false if it never is.
sub await {
	my ($self, $expression) = @_;
	my $until = time + $patience;
	until ($self->value($expression)) {
		return 0 if time > $until;
		sleep 0.05;
	}
	return 1;
}

# What the reader prefers, light or dark, and how wide his window is.
sub look {
	my ($self, $scheme, $width, $height) = @_;
	$self->call('Emulation.setEmulatedMedia', features => [{ name => 'prefers-color-scheme', value => $scheme }]);
	$self->call('Emulation.setDeviceMetricsOverride', width => $width, height => $height, deviceScaleFactor => 1, mobile => JSON::PP::false);
}

# The page as a picture; its bytes.
sub screenshot {
	my ($self, $path) = @_;
	my $bytes = MIME::Base64::decode_base64($self->call('Page.captureScreenshot', format => 'png')->{data});
	CORE::open my $file, '>:raw', $path or die "$path: $!";
	print $file $bytes;
	close $file or die "$path: $!";
	return $bytes;
}

sub DESTROY {
	my ($self) = @_;
	return unless $self->{owner} == $$ && $self->{pid};
	local ($?, $@);
	kill 'KILL', -$self->{pid}, $self->{pid};
	waitpid $self->{pid}, 0;
}

1;
