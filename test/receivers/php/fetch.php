<?php
// Fetches a URL as google/auth does, whose handler gives a request of this form to Guzzle's client. Prints status, Cache-Control and body.

use GuzzleHttp\Client;
use GuzzleHttp\Psr7\Request;

require 'GuzzleHttp/autoload.php';

$response = (new Client())->send(new Request('GET', $argv[1]));
echo json_encode([
    'status' => $response->getStatusCode(),
    'cacheControl' => $response->getHeaderLine('Cache-Control'),
    'body' => (string) $response->getBody(),
]);
