# ruby probe.rb ASKED

require "googleauth"
require "googleauth/version"
require "json"

ASKED = JSON.parse(ARGV.last)
$stdout.sync = true

def step(name)
  puts JSON.generate(step: name, value: yield)
rescue StandardError => e
  puts JSON.generate(step: name, error: "#{e.class}: #{e.message}")
end

def id_token(audience)
  Google::Auth::GCECredentials.new(target_audience: audience).fetch_access_token!["id_token"]
end

step("version") { Google::Auth::VERSION }
step("detection") { Google::Auth::GCECredentials.on_gce? }
step("accessToken") { Google::Auth.get_application_default.fetch_access_token!["access_token"] }
step("idToken") { id_token(ASKED["audience"]) }
step("bareIdToken") { id_token(ASKED["bareAudience"]) }
step("verified") do
  # Its JWK source fails with OpenSSL 3.
  keys = Google::Auth::IDTokens::X509CertHttpKeySource.new("#{ASKED["url"]}/oauth2/v1/certs")
  verifier = Google::Auth::IDTokens::Verifier.new(key_source: keys, aud: ASKED["audience"], iss: ASKED["issuer"])
  verifier.verify(id_token(ASKED["audience"]))["aud"] == ASKED["audience"]
end
step("refused") do
  id_token(ASKED["refusedAudience"])
  raise "it was not refused"
rescue Signet::AuthorizationError => e
  e.message
end
