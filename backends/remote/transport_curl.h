/* HTTP requests by libcurl's multi interface: kept-alive connections, HTTP/2 if a TLS server offers
 * it. */
#ifndef STEADYCACHE_REMOTE_TRANSPORT_CURL_H
#define STEADYCACHE_REMOTE_TRANSPORT_CURL_H

struct remote_protocol;
struct remote_settings;
struct remote_transport;

/* remote_protocol.open_transport; `user` is not used. */
struct remote_transport *remote_transport_curl_open(const struct remote_settings *settings,
						    const struct remote_protocol *protocol,
						    void *user);

#endif
