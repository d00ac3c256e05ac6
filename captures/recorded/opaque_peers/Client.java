// SPDX-License-Identifier: GPL-2.0-or-later
// One request over TLS: java Client.java HOST PORT ADDRESS PATH
import java.net.Socket;
import java.security.cert.X509Certificate;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.TrustManager;
import javax.net.ssl.X509TrustManager;

class Client {
    public static void main(String[] words) throws Exception {
        TrustManager trusts = new X509TrustManager() {
            public void checkClientTrusted(X509Certificate[] chain, String type) {}

            public void checkServerTrusted(X509Certificate[] chain, String type) {}

            public X509Certificate[] getAcceptedIssuers() {
                return new X509Certificate[0];
            }
        };
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, new TrustManager[] {trusts}, null);
        int port = Integer.parseInt(words[1]);
        Socket plain = new Socket(words[2], port);
        SSLSocket socket = (SSLSocket) context.getSocketFactory().createSocket(plain, words[0], port, true);
        String request = "GET " + words[3] + " HTTP/1.1\r\nHost: " + words[0] + "\r\nConnection: close\r\n\r\n";
        socket.getOutputStream().write(request.getBytes());
        byte[] answer = new byte[12];
        socket.getInputStream().readNBytes(answer, 0, answer.length);
        System.out.println("LOG " + new String(answer, 9, 3));
        socket.close();
    }
}
