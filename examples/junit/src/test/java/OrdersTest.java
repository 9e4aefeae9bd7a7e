import static org.junit.jupiter.api.Assertions.assertTrue;

import java.net.URI;
import java.net.http.*;
import org.junit.jupiter.api.Test;
import org.testcontainers.containers.*;
import org.testcontainers.containers.wait.strategy.Wait;
import org.testcontainers.junit.jupiter.*;
import org.testcontainers.junit.jupiter.Container;

@Testcontainers
class OrdersTest {
  static final Network network = Network.newNetwork();
  static final String SECRET = "known-to-this-test-alone";

  @Container
  static final GenericContainer<?> sidemint = new GenericContainer<>("sidemint").withNetwork(network)
      .withNetworkAliases("metadata.google.internal").withExposedPorts(80)
      .withEnv("SIDEMINT_SOURCE", "local").withEnv("SIDEMINT_CONTROL_SECRET", SECRET)
      .waitingFor(Wait.forHealthcheck());

  @Container // the service under test, which calls billing
  static final GenericContainer<?> orders = new GenericContainer<>("orders").withNetwork(network)
      .withEnv("GCE_METADATA_HOST", "metadata.google.internal").withEnv("CALLS", "http://billing:8080")
      .withExposedPorts(8080).dependsOn(sidemint);

  @Test
  void ordersSaysThatItGotNoToken() throws Exception {
    var order = HttpRequest.BodyPublishers.ofString("{\"status\": 403, \"audience\": \"http://billing:8080\"}");
    send(sidemint, 80, "/_sidemint/control/fail-next", "POST", order);
    assertTrue(send(orders, 8080, "/", "GET", HttpRequest.BodyPublishers.noBody()).contains("INJECTED"));
  }

  static String send(GenericContainer<?> to, int port, String path, String method, HttpRequest.BodyPublisher body) throws Exception {
    var uri = URI.create("http://" + to.getHost() + ":" + to.getMappedPort(port) + path);
    var request = HttpRequest.newBuilder(uri).method(method, body).header("Authorization", "Bearer " + SECRET).build();
    return HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString()).body();
  }
}
