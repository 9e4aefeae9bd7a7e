import com.google.auth.oauth2.AccessToken;
import com.google.auth.oauth2.ComputeEngineCredentials;
import com.google.auth.oauth2.GoogleCredentials;
import com.google.auth.oauth2.IdTokenCredentials;
import com.google.auth.oauth2.TokenVerifier;
import com.google.gson.Gson;
import com.google.gson.JsonObject;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** {@code java Probe ASKED} */
public class Probe {
  private static final Gson GSON = new Gson();

  public static void main(String[] arguments) throws Exception {
    JsonObject asked = GSON.fromJson(arguments[arguments.length - 1], JsonObject.class);
    String audience = asked.get("audience").getAsString();
    List<String> scopes = GSON.fromJson(asked.get("scopes"), List.class);
    step("version", Probe::version);
    GoogleCredentials found = GoogleCredentials.getApplicationDefault();
    step("detection", () -> found instanceof ComputeEngineCredentials);
    ComputeEngineCredentials credentials = (ComputeEngineCredentials) found;
    step("project", credentials::getProjectId);
    step("account", credentials::getAccount);
    step("accessToken", () -> credentials.refreshAccessToken().getTokenValue());
    step("scopes", () -> ((ComputeEngineCredentials) credentials.createScoped(scopes)).refreshAccessToken().getTokenValue());
    step("idToken", () -> idToken(credentials, audience));
    step("bareIdToken", () -> idToken(credentials, asked.get("bareAudience").getAsString()));
    step("universe", credentials::getUniverseDomain);
    step("verified", () -> verified(credentials, asked));
    step("refused", () -> refusal(() -> idToken(credentials, asked.get("refusedAudience").getAsString())));
  }

  private static void step(String name, Callable<Object> get) {
    Map<String, Object> line = new LinkedHashMap<>();
    line.put("step", name);
    try {
      line.put("value", get.call());
    } catch (Exception e) {
      line.put("error", e.toString());
    }
    System.out.println(GSON.toJson(line));
  }

  private static String version() {
    Pattern jar = Pattern.compile("google-auth-library-oauth2-http-([\\d.]+)\\.jar");
    Matcher found = jar.matcher(System.getProperty("java.class.path"));
    return found.find() ? found.group(1) : "";
  }

  private static String idToken(ComputeEngineCredentials credentials, String audience) throws Exception {
    AccessToken token =
        IdTokenCredentials.newBuilder()
            .setIdTokenProvider(credentials)
            .setTargetAudience(audience)
            .build()
            .refreshAccessToken();
    return token.getTokenValue();
  }

  private static boolean verified(ComputeEngineCredentials credentials, JsonObject asked) throws Exception {
    String audience = asked.get("audience").getAsString();
    return TokenVerifier.newBuilder()
        .setCertificatesLocation(asked.get("url").getAsString() + "/oauth2/v3/certs")
        .setAudience(audience)
        .setIssuer(asked.get("issuer").getAsString())
        .build()
        .verify(idToken(credentials, audience))
        .getPayload()
        .getAudience()
        .equals(audience);
  }

  private static String refusal(Callable<Object> get) throws Exception {
    try {
      get.call();
    } catch (Exception e) {
      return e.getMessage();
    }
    throw new IllegalStateException("it was not refused");
  }
}
