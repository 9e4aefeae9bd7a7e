// Hands what it reads to the lines of the page, and says what they answer. A line is {token} or {url}.

import com.google.api.client.http.GenericUrl;
import com.google.api.client.http.javanet.NetHttpTransport;
import com.google.gson.Gson;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.Map;

public class Main {
  record Order(String token, String url) {}

  static Map<String, Object> act(Order asked) throws Exception {
    if (asked.url() == null) return Map.of("accepted", Verify.verify(asked.token()));
    var request = new NetHttpTransport().createRequestFactory().buildGetRequest(new GenericUrl(asked.url()));
    return Map.of("status", request.execute().getStatusCode());
  }

  public static void main(String[] args) throws Exception {
    var gson = new Gson();
    var lines = new BufferedReader(new InputStreamReader(System.in));
    for (String line; (line = lines.readLine()) != null; ) {
      Map<String, Object> said;
      try {
        said = act(gson.fromJson(line, Order.class));
      } catch (Exception error) {
        said = Map.of("refused", error + " " + error.getCause());
      }
      System.out.println(gson.toJson(said));
    }
  }
}
