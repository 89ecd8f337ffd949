#!/usr/bin/perl
# SPDX-License-Identifier: BSD-2-Clause
# The server against doc/openapi.yaml: the document is valid; every status of every operation is provoked; status, headers, content
# type and body of every answer are as it says.
use strict;
use warnings;
use IO::Select;
use JSON::PP ();
use Server;
use Test::More;
use Time::HiRes 'time';

eval { require JSON::Validator; 1 } or plan skip_all => 'there is no JSON::Validator (libjson-validator-perl)';
my $document = JSON::Validator->new->schema('doc/openapi.yaml')->schema;
is_deeply [map {"$_"} @{ $document->errors }], [], 'the document is OpenAPI';

my $server = start_server('--threads', 2, '--max-key', 64, '--max-value', '60K', '--max-batch', '60K', '--upload-memory', '64K',
	'--max-memory', '8M', '--max-connections', 20, '--drain-delay', '60s');
my $client = $server->connect;
my $admin = $server->connect($server->{admin});
my (%asked, $answer);

# Every answer may have these.
my %always = map { $_ => 1 } qw(date connection content-length content-type);

sub check_headers {
	my ($said) = @_;
	my %told = map { lc $_ => $said->{headers}{$_} } keys %{ $said->{headers} // {} };
	my $got = $answer->{headers};
	my @wrong = map {"undocumented: $_"} grep { !$told{$_} && !$always{$_} } sort keys %$got;
	for my $name (sort keys %told) {
		push @wrong, "missing: $name" if $told{$name}{required} && !exists $got->{$name};
		push @wrong, map {"$name: $_"} $document->validate($got->{$name}, $told{$name}{schema}) if exists $got->{$name};
	}
	return @wrong;
}

sub check_body {
	my ($said, $method) = @_;
	my ($type, $content) = ($answer->{headers}{'content-type'}, $said->{content} // {});
	return $method eq 'HEAD' || !length $answer->{body} ? () : 'a body, though none is documented' unless %$content;
	my $media = $content->{ $type // '' } // $content->{'*/*'};
	return "content type $type, documented: " . join ' ', sort keys %$content if defined $type && !$media;
	return 'no content type' if !$media && length $answer->{body};
	return () if $method eq 'HEAD' || ($type // '') ne 'application/json';
	return $document->validate(JSON::PP->new->boolean_values(JSON::PP::false, JSON::PP::true)->decode($answer->{body}), $media->{schema});
}

# Is the answer what the document says of that operation? `as`: default, where that is meant.
sub documented {
	my ($path, $method, $status, $name) = @_;
	my $responses = $document->get(['paths', $path, lc $method, 'responses']) // {};
	my $as = $responses->{$status} ? $status : 'default';
	$asked{"$method $path $as"} = 1;
	is $answer->{status}, $status, "$method $path $status: $name" or diag $answer->{body};
	my $said = $document->get(['paths', $path, lc $method, 'responses', $as]);
	is_deeply [$said ? map {"$_"} check_headers($said), check_body($said, $method) : 'undocumented'], [], '    as it is documented';
	return $answer;
}

# Ask; then as documented().
sub ask {
	my ($path, $method, $target, $status, $name, %headers) = @_;
	my $at = $document->get(['paths', $path, 'servers']) ? \$admin : \$client;
	$answer = $$at->ask($method, $target, %headers);
	documented($path, $method, $status, $name);
	$$at = $server->connect($at == \$admin ? $server->{admin} : undef) if ($answer->{headers}{connection} // '') eq 'close';
	return $answer;
}

my $value = '/v1/{key}';
my $long = 'x' x 61500;

# Storing, by both methods.
for my $method (qw(PUT POST)) {
	my $key = lc "/v1/$method";
	my $etag = ask($value, $method, $key, 201, 'new', body => '0123456789')->{headers}{etag};
	ask($value, $method, "$key?ttl=100.5", 204, 'there already', body => '0123456789', 'Content-Type' => 'text/plain', 'If-Match' => $etag);
	ask($value, $method, "$key-gone?ttl=0", 201, 'without a life', body => 'x');
	ask($value, $method, "$key?ttl=x", 400, 'no life', body => 'x');
	ask($value, $method, $key, 403, 'a page of another site', body => 'x', Origin => 'http://elsewhere');
	ask($value, $method, $key, 204, 'a page of its own', body => '0123456789', Origin => 'http://test');
	ask($value, $method, $key, 204, 'the same', body => '0123456789', Origin => 'https://TEST', 'Content-Type' => 'text/plain',
		'Cache-Control' => 'max-age=100') if $method eq 'PUT';
	ask($value, $method, $key, 411, 'without a body');
	ask($value, $method, $key, 412, 'only if absent', body => 'x', 'If-None-Match' => '*');
	ask($value, $method, $key, 413, 'too large', body => $long);
	ask($value, $method, '/v1/' . 'k' x 65, 414, 'too long a key', body => 'x');
	ask($value, $method, $key, 417, 'another expectation', body => 'x', Expect => 'much');
}

# Reading. What PUT left has a life and a type; this one has none.
ask($value, 'PUT', '/v1/plain', 201, 'for good', body => 'abc', 'Content-Type' => 'application/octet-stream');
for my $method (qw(GET HEAD)) {
	my $etag = ask($value, $method, '/v1/put', 200, 'there')->{headers}{etag};
	ok exists $answer->{headers}{$_}, "$_, for it has a life" for qw(cache-control rcumap-ttl);
	ask($value, $method, '/v1/plain', 200, 'for good');
	ask($value, $method, '/v1/put', 304, 'known already', 'If-None-Match' => $etag);
	ask($value, $method, '/v1/put', 400, 'no list of tags', 'If-None-Match' => 'x');
	ask($value, $method, '/v1/none', 404, 'absent');
	ask($value, $method, '/v1/put', 412, 'another', 'If-Match' => '"1-1"');
	ask($value, $method, '/v1/' . 'k' x 65, 414, 'too long a key');
	ask($value, $method, '/v1/put', 501, 'a transfer coding', 'Transfer-Encoding' => 'gzip');
}
is ask($value, 'GET', '/v1/put', 206, 'a part', Range => 'bytes=2-4')->{body}, '234', 'that part';
is ask($value, 'GET', '/v1/plain', 206, 'a part for good', Range => 'bytes=-1')->{body}, 'c', 'that part';
ask($value, 'GET', '/v1/put', 200, 'a part of another', Range => 'bytes=2-4', 'If-Range' => '"1-1"');
ask($value, 'GET', '/v1/put', 416, 'beyond its end', Range => 'bytes=10-');

# Removing, and what there is.
ask($value, 'DELETE', '/v1/put?x=1', 400, 'a query that nobody reads');
ask($value, 'GET', '/v1/put', 200, 'a page of another site may not see this: its browser keeps it', Origin => 'http://elsewhere');
ask($value, 'DELETE', '/v1/put', 403, 'a page of another site', Origin => 'null');
ask($value, 'DELETE', '/v1/put', 412, 'another', 'If-Match' => '"1-1"');
ask($value, 'DELETE', '/v1/put', 204, 'removed');
ask($value, 'DELETE', '/v1/put', 404, 'absent');
ask($value, 'DELETE', '/v1/' . 'k' x 65, 414, 'too long a key');
ask($value, 'DELETE', '/v1/put', 413, 'a body that nobody wants', 'Content-Length' => 1 << 30);
ask($value, 'OPTIONS', '/v1/put', 204, 'the methods');
my %methods = map { $_ => 1 } split /, /, $answer->{headers}{allow};
is_deeply [sort keys %methods], [sort map {uc} grep { $_ ne 'parameters' } keys %{ $document->get(['paths', $value]) }], 'are those documented';
ask($value, 'OPTIONS', '/v1/%', 400, 'no key');
ask($value, 'OPTIONS', '/v1/' . 'k' x 65, 414, 'too long a key');
ask($value, 'OPTIONS', '/v1/put', 501, 'a transfer coding', 'Transfer-Encoding' => 'gzip');

# Batches: the document's own example, and one of everything.
sub batch {
	my ($status, $name, @operations) = @_;
	my $body = JSON::PP->new->utf8->encode({ operations => \@operations });
	ask('/batch', 'POST', '/batch', $status, $name, body => $body);
	return $status == 200 ? [map { $_->{status} } @{ JSON::PP::decode_json($answer->{body})->{results} }] : undef;
}
my $operation = $document->get('/components/schemas/Operation');
my $example = $document->get(['paths', '/batch', 'post', 'requestBody', 'content', '*/*', 'example', 'operations']);
my @all = (@$example, { op => 'put', key64 => 'AA==', value64 => '/w==' }, { op => 'get', key64 => 'AA==' },
	{ op => 'get', key => 'a', base64 => JSON::PP::true }, { op => 'put', key => 'a', value => '', ttl => '1.5' },
	{ op => 'put', key => 'a', value => '', if_none_match => '*' }, { op => 'get', key => 'k' x 65 });
is_deeply [map {"$_"} map { $document->validate($_, $operation) } @all], [], 'operations as documented';
is_deeply batch(200, 'in order', @all), [201, 404, 412, 201, 200, 200, 204, 412, 414], 'are done as documented';
my @wrong = ({ op => 'jump', key => 'a' }, { op => 'get' }, { op => 'get', key => 'a', key64 => 'AA==' }, { op => 'get', key => 'a', tll => 1 },
	{ op => 'put', key => 'a', value => '', ttl => -1 }, { key => 'a' }, { op => 'put', key => 'a', value => '', type => 't' x 256 });
is scalar(grep { $document->validate($_, $operation) } @wrong), scalar @wrong, 'operations that are wrong by the document';
is_deeply batch(200, 'each', @wrong), [(400) x @wrong], 'are refused';
ask('/batch', 'POST', '/batch', 400, 'no JSON', body => '{');
ask('/batch', 'POST', '/batch', 403, 'a page of another site', body => '{"operations": []}', Origin => 'http://test.elsewhere');
ask('/batch', 'POST', '/batch', 411, 'without a body');
ask('/batch', 'POST', '/batch', 413, 'too large', body => $long);
ask('/batch', 'POST', '/batch', 417, 'another expectation', body => 'x', Expect => 'much');
ask('/batch', 'OPTIONS', '/batch', 204, 'the methods');
ask('/batch', 'OPTIONS', '/batch', 417, 'another expectation', Expect => 'much');

# No room: another's body takes it all, once it is there.
my $other = $server->connect;
my $until = time + $Server::patience;
my $in = $server->stats->{counters}{bytes_in};
$other->send(Client::request_text('PUT', '/v1/slow', body => 'x' x 60000, 'Content-Length' => 60001));
1 until $server->stats->{counters}{bytes_in} == $in + 60000 || time > $until;
$answer = $client->ask('PUT', '/v1/try', body => 'x' x 60000);
documented($value, 'PUT', 507, 'no room for a body');
ask($value, 'POST', '/v1/try', 507, 'no room for a body', body => 'x' x 60000);
ask('/batch', 'POST', '/batch', 507, 'no room for a batch', body => 'x' x 60000);
$other->send('x');
is $other->answer->{status}, 201, 'the other is stored';

# Whatever is asked for: headers that are too large, too many connections.
$answer = $server->ask_raw("GET /v1/a HTTP/1.1\r\nHost: h\r\n" . join '', map {"X$_: " . 'x' x 1000 . "\r\n"} 1 .. 20);
documented($value, 'GET', 431, 'headers too large');
my @idle;
do { push @idle, $server->connect } until IO::Select->new($idle[-1]{socket})->can_read(0.05) || @idle > 80;
$answer = $idle[-1]->answer;
documented($value, 'GET', 503, 'too many connections');
$_->close for @idle;

# The admin site.
for my $path (qw(/ /healthz /metrics /stats)) {
	for my $method (qw(GET HEAD)) {
		ask($path, $method, $path, 200, 'told');
		ask($path, $method, "$path?x=1", 400, 'a query that nobody reads');
	}
}
is_deeply [sort keys %{ JSON::PP::decode_json($server->ask_admin('GET', '/stats')->{body})->{map} }],
	[sort @{ $document->get('/components/schemas/Stats')->{properties}{map}{required} }], 'all the statistics of the map are documented';
ask('/flush', 'POST', '/flush', 204, 'all is removed');
ask('/flush', 'POST', '/flush', 403, 'a page of another site', Origin => 'http://elsewhere');
ask('/flush', 'POST', '/flush?x=1', 400, 'a query that nobody reads');
kill 'TERM', $server->{pid};
1 until $server->ask_admin('GET', '/healthz')->{status} == 503 || time > $until;
ask('/healthz', $_, '/healthz', 503, 'draining') for qw(GET HEAD);

# All of it was asked for.
my @documented = map {
	my ($path, $item) = ($_, $document->get(['paths', $_]));
	map { my $method = $_; map { uc($method) . " $path $_" } keys %{ $document->get(['paths', $path, $method, 'responses']) } }
		grep { $_ !~ /^(parameters|servers)$/ } keys %$item
} keys %{ $document->get('/paths') };
is_deeply [sort keys %asked], [sort @documented], 'every status of every operation was provoked';

ok $server->ends_well, 'the server ends well';
done_testing;
