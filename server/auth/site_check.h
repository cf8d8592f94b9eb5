/* Keeps web pages away from a server without a token, and from a token that the browser remembers.
 *
 * Such a server trusts everybody who reaches loopback. A page in the developer's browser must not
 * count: it can make the browser send requests here (an <img>, a form, a fetch), and with a name of
 * its own that points here (DNS rebinding) even read the answers. But browsers always say which
 * host they ask (Host) and from where (Sec-Fetch-Site, older ones Origin).
 *
 * The name and password of Basic, once typed, are what a browser remembers for a host, and sends
 * with what any page makes it ask of that host. */
#ifndef STEADYCACHE_SERVER_SITE_CHECK_H
#define STEADYCACHE_SERVER_SITE_CHECK_H

#include <stdbool.h>

/* Facts about a request; header values are NULL if the header is absent. */
struct site_request {
	const char *host, *origin, *fetch_site, *fetch_mode;
	bool is_page_load; /* a GET of one of our pages, which a link from anywhere may open */
	bool any_host;     /* it shows nothing that is stored, so any name may lead to it */
	bool is_basic;     /* it has such a token, which the browser sends to one name only */
};

/* 0, or the status to refuse the request with, and a sentence in *ret_problem. `listen_hosts` has
 * the hosts of --listen, without brackets, with blanks between them. Any thread. */
unsigned site_check(const struct site_request *request, const char *listen_hosts,
		    const char **ret_problem);

#endif
