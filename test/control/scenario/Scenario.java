import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** Eight steps of a test suite with a sidemint in SIDEMINT_SERVER; prints what each step saw. */
class Scenario {
  static final Map<String, String> ENV = System.getenv();
  static final String BILLING = "https://billing.example";
  static final String LEDGER = "https://ledger.example";
  static final HttpClient CLIENT;

  static {
    // By default it asks once more by itself where a connection ends without an answer.
    System.setProperty("jdk.httpclient.redirects.retrylimit", "1");
    CLIENT = HttpClient.newHttpClient();
  }

  static HttpResponse<String> call(String method, String path, String body, String... headers) throws Exception {
    var content = body == null ? BodyPublishers.noBody() : BodyPublishers.ofString(body);
    var uri = URI.create(ENV.get("SIDEMINT_SERVER") + path);
    var request = HttpRequest.newBuilder(uri).method(method, content).headers(headers).build();
    return CLIENT.send(request, BodyHandlers.ofString());
  }

  static String order(String method, String path, String body) throws Exception {
    var secret = "Bearer " + ENV.get("SIDEMINT_CONTROL_SECRET");
    var answer = call(method, "/_sidemint/" + path, body, "Authorization", secret);
    if (answer.statusCode() != 200) throw new IllegalStateException(answer.body());
    return answer.body();
  }

  static HttpResponse<String> ask(String audience) throws Exception {
    var path = "/computeMetadata/v1/instance/service-accounts/default/identity?format=full&audience=";
    return call("GET", path + URLEncoder.encode(audience, UTF_8), null, "Metadata-Flavor", "Google");
  }

  static String status(String audience) throws Exception {
    try {
      return String.valueOf(ask(audience).statusCode());
    } catch (IOException ended) {
      return "no answer";
    }
  }

  static String failed(String audience) throws Exception {
    var began = System.nanoTime();
    var answer = ask(audience);
    var late = System.nanoTime() - began >= 300_000_000 ? "late" : "at once";
    return answer.statusCode() + " " + member(answer.body(), "error") + " " + late;
  }

  static String part(String token, int index) {
    return new String(Base64.getUrlDecoder().decode(token.split("\\.")[index]), UTF_8);
  }

  /** Every value of that name; the JDK brings no JSON, and these are words and numbers. */
  static List<String> members(String json, String name) {
    var found = Pattern.compile("\"" + name + "\":\\s*\"?([^\",}]*)").matcher(json).results();
    return found.map((MatchResult one) -> one.group(1)).collect(Collectors.toList());
  }

  static String member(String json, String name) {
    return members(json, name).get(0);
  }

  static List<String> requests() throws Exception {
    var json = order("GET", "requests", null).split("\"requests\":\\[", 2)[1];
    var results = members(json, "result");
    var out = new ArrayList<String>();
    for (int at = 0; at < results.size(); at += 1)
      out.add(members(json, "audience").get(at) + " " + results.get(at) + " " + members(json, "status").get(at));
    return out;
  }

  public static void main(String[] arguments) throws Exception {
    order("POST", "control/reset", null);

    var claims = "{\"email\":\"eve@evil.example\"}";
    var wanted = "{\"audience\":\"" + BILLING + "\",\"claims\":" + claims + ",\"expiresInSeconds\":-600}";
    var got = part(member(order("POST", "control/issue", wanted), "token"), 1);
    var minutes = Math.round((Long.parseLong(member(got, "exp")) - System.currentTimeMillis() / 1000.0) / 60);
    System.out.println("1 issue for an audience: " + member(got, "aud") + " " + member(got, "email") + " " + minutes);

    got = part(member(order("POST", "control/issue", "{\"user\":\"ann@acme.example\"}"), "token"), 1);
    System.out.println("2 issue for a user: " + member(got, "email") + " " + member(got, "hd"));

    var answer = ask(BILLING);
    got = part(answer.body(), 1);
    System.out.println("3 ask: " + answer.statusCode() + " " + member(got, "aud") + " " + member(got, "email"));

    order("POST", "control/fail-next", "{\"status\":503,\"times\":2,\"audience\":\"https://billing*\",\"delayMs\":300}");
    var seen = new ArrayList<>(List.of(failed(BILLING), status(LEDGER), failed(BILLING), status(BILLING)));
    order("POST", "control/fail-next", "{\"drop\":true}");
    seen.add(status(BILLING));
    System.out.println("4 fail next: " + String.join(", ", seen));

    order("POST", "control/fail-next", "{\"times\":3}");
    var emptied = order("POST", "control/reset", null);
    var counts = Stream.of("requests", "calls", "grants", "failures", "tokens").map((name) -> name + " " + member(emptied, name));
    System.out.println("5 reset: " + counts.collect(Collectors.joining(", ")) + ", then " + status(BILLING));

    ask(BILLING);
    System.out.println("6 requests: " + String.join(", ", requests()));

    order("DELETE", "requests", null);
    System.out.println("7 delete requests: " + requests().size());

    var kid = member(order("POST", "control/rotate", null), "kid");
    var kids = members(call("GET", "/oauth2/v3/certs", null, "Accept", "application/json").body(), "kid");
    var old = member(part(answer.body(), 0), "kid");
    var both = kids.contains(old) && kids.contains(kid) ? "published" : "not published";
    var signs = !kid.equals(old) && member(part(ask(BILLING).body(), 0), "kid").equals(kid) ? "signs" : "does not sign";
    System.out.println("8 rotate: both keys are " + both + ", the new one " + signs);
  }
}
