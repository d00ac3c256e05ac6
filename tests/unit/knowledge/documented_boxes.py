"""What proxies answer and add by their documentation, or as seen of them: the least that an entry of `boxes.toml` asks
for. Each case is header lines of an answer (with the beginning of its body), or of a request, and the box."""

NGINX_404 = (
    "<html>\r\n<head><title>404 Not Found</title></head>\r\n<body>\r\n<center><h1>404 Not Found</h1></center>\r\n"
)

ANSWERS: list[tuple[tuple[str, ...], str, str]] = [
    (("Server: cloudflare", "CF-RAY: 8f1a2b3c4d5e6f70-FRA"), "", "Cloudflare"),
    (("Server: gunicorn", "cf-ray: 8f1a2b3c4d5e6f70-FRA"), "", "Cloudflare"),
    (("Server: cloudflare",), "", "Cloudflare"),
    (("Server: openresty/1.27.1.1",), "", "nginx"),
    (("Server: hidden",), f"{NGINX_404}<hr><center>nginx</center>\r\n", "nginx"),
    (("Server: Apache",), "", "Apache httpd"),
    (("Via: 1.1 Caddy",), "", "Caddy"),
    (("Server: Varnish", "X-Varnish: 32770", "Via: 1.1 varnish (Varnish/7.1)"), "", "Varnish"),
    (("X-Varnish: 2", "Age: 0", "Via: 1.1 varnish (Varnish/7.1)"), '{"code":3,"message":"Bad request"}', "Varnish"),
    (("Server: squid/5.7", "X-Squid-Error: ERR_ACCESS_DENIED 0", "Via: 1.1 proxy (squid/5.7)"), "", "Squid"),
    (("content-length: 0", "server: envoy"), "", "Envoy"),
    (("server: istio-envoy", "x-envoy-upstream-service-time: 4"), "", "Envoy"),
    (("Server: awselb/2.0", "Content-Type: text/html"), "", "an AWS load balancer"),
    (("Server: CloudFront", "Via: 1.1 16196541f2530b70e68f9d574143f202.cloudfront.net (CloudFront)"), "", "CloudFront"),
    (("Via: 1.1 16196541f2530b70e68f9d574143f202.cloudfront.net (CloudFront)",), "", "CloudFront"),
    (("Server: Microsoft-Azure-Application-Gateway/v2",), "", "Azure Application Gateway"),
    (
        ("Content-Type: text/html",),
        "<html>\r\n<head><title>403 Forbidden</title></head>\r\n<body>\r\n<center><h1>403 Forbidden</h1></center><hr>"
        "<center>Microsoft-Azure-Application-Gateway/v2</center>\r\n",
        "Azure Application Gateway",
    ),
    (("Server: Microsoft-IIS/10.0", "X-Powered-By: ARR/3.0"), "", "Microsoft IIS"),
    (("Server: Microsoft-HTTPAPI/2.0",), "", "Microsoft IIS"),
    (("Server: Cowboy", "Via: 1.1 vegur"), "", "the router of Heroku"),
    (("Server: Heroku", "Via: 1.1 heroku-router"), "", "the router of Heroku"),
    (("Via: 1.1 google",), "", "a Google load balancer"),
    (
        ("X-Powered-By: Express",),
        "Error occurred while trying to proxy: h/socket.io/",
        "the proxy of a development server",
    ),
]

# Servers in which applications run, and pages that look like one of a box.
NO_BOX: list[tuple[tuple[str, ...], str]] = [
    ((), ""),
    (("Server: Werkzeug/3.0 Python/3.12",), ""),
    (("Server: uvicorn",), "Internal Server Error"),
    (("Server: Python/3.11 aiohttp/3.14.5",), ""),
    (("Server: Apachetomcat",), ""),
    (("X-Powered-By: Express",), "<!DOCTYPE html>\n<html><body><pre>Cannot GET /socket.io/</pre></body></html>"),
    ((), "<html><body><h1>Welcome</h1>\n</body></html>"),
]

PAGES: list[tuple[str, str | None]] = [
    ('<!DOCTYPE html>\n<html lang="en">\n<head>\n<script type="module" src="/@vite/client"></script>', "vite"),
    ("<!DOCTYPE html><html><head><title>Shop</title></head>", None),
    ('{"script":"/@vite/client"}', None),  # no page
]

WEBSOCKET = ("Sec-WebSocket-Key: x", "Sec-WebSocket-Version: 13")
REQUESTS: list[tuple[tuple[str, ...], str | None]] = [
    (("Host: h", "CF-RAY: 8f1a2b3c4d5e6f70-FRA", *WEBSOCKET), "Cloudflare"),
    (("Host: h", "Connection: close", *WEBSOCKET), "nginx"),
    (("Host: h", *WEBSOCKET, "X-Forwarded-For: 192.0.2.1", "Accept-Encoding: gzip", "X-Varnish: 3"), "Varnish"),
    (("Host: h", "Connection: Upgrade", "Upgrade: websocket", *WEBSOCKET), None),  # a client of its own accord
    ((*WEBSOCKET, "Connection: close", "Host: h"), None),
    ((*WEBSOCKET, "Host: h", "Via: 1.1 proxy (squid/5.7)", "Connection: keep-alive"), None),
]

AFFINITY = (
    "AWSALB", "AWSALBCORS", "AWSALBTG", "AWSALBAPP-0", "AWSELB", "AWSELBCORS", "ARRAffinity", "ARRAffinitySameSite",
    "ApplicationGatewayAffinity", "ApplicationGatewayAffinityCORS", "GCLB", "GCILB", "__cflb",
    "heroku-session-affinity", "__VCAP_ID__", "BIGipServerpool_chat", "NSC_dnt_qspe_80", "INGRESSCOOKIE", "route",
    "srv_id", "SRV", "SERVERID", "ROUTEID", "lb", "_1d52e", "_TRAEFIK_BACKEND",
)  # fmt: skip
APPLICATION = (
    "connect.sid", "session", "sessionid", "session.sig", "PHPSESSID", "csrftoken", "XSRF-TOKEN", "token",
    "laravel_session", "_ga", "_ga_XYZ",
)  # fmt: skip
# Names that only begin as those of load balancers do, and those whose owner cannot be told by them.
NOBODYS = ("lblang", "router_state", "srv2", "stickynotes", "fly-theme", "JSESSIONID", "io", "_12345678", "server")
