/* What keeps web pages away from a server without a token.
 *
 * Such a server trusts whoever reaches loopback. A page in the developer's browser must not count:
 * it can make the browser send requests here (an <img>, a form, a fetch), and with a name of its
 * own that it lets point here (DNS rebinding) even read the answers. What browsers cannot help
 * telling is whom they ask (Host) and from where (Sec-Fetch-Site, older ones Origin). */
#ifndef STEADYCACHE_SERVER_SITE_CHECK_H
#define STEADYCACHE_SERVER_SITE_CHECK_H

#include <stdbool.h>

/* Of a request; header values are NULL where the header is absent. */
struct site_request {
	const char *host, *origin, *fetch_site, *fetch_mode;
	bool is_page_load; /* a GET of a page of our own, which a link from anywhere may lead to */
	bool any_host;     /* it shows nothing that is stored: whatever name led here */
};

/* 0, or the status to refuse the request with, and a sentence in *ret_problem. `listen_host` is the
 * host of --listen, without brackets. Thread: any. */
unsigned site_check(const struct site_request *request, const char *listen_host,
		    const char **ret_problem);

#endif
