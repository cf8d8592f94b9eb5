#include "server/auth/site_check.h"

#include <string.h>
#include <strings.h>

#include "base/slice.h"
#include "base/words.h"

static bool is_text(struct slice text, const char *wanted)
{
	return slice_equal_in_any_case(text, slice_of(wanted));
}

/* The host of "host:port" or "[v6]:port", the latter without brackets; empty if it is neither. */
static struct slice host_of(const char *authority)
{
	bool is_v6 = *authority == '[';
	const char *begin = authority + is_v6;
	size_t len = strcspn(begin, is_v6 ? "]" : ":");
	const char *rest = begin + len;

	if (is_v6 && *rest++ != ']')
		return (struct slice){0};
	if (*rest == ':')
		rest += 1 + strspn(rest + 1, "0123456789");
	return *rest == '\0' ? (struct slice){.data = begin, .len = len} : (struct slice){0};
}

/* Names and addresses that lead to this machine only, whatever a name server says. Others are not
 * accepted: 0.0.0.0 leads here too, but browsers send it no Sec-Fetch-Site. */
static bool is_of_this_machine(struct slice host)
{
	static const char domain[] = ".localhost";
	const size_t domain_len = sizeof(domain) - 1;

	if (host.len > domain_len &&
	    strncasecmp(host.data + host.len - domain_len, domain, domain_len) == 0)
		return true;
	return is_text(host, "localhost") || is_text(host, "::1") ||
	       (host.len > 4 && strncmp(host.data, "127.", 4) == 0 &&
		strspn(host.data, "0123456789.") >= host.len);
}

static bool is_among(struct slice name, const char *hosts)
{
	struct slice host;

	while (words_next(&hosts, &host))
		if (slice_equal_in_any_case(host, name))
			return true;
	return false;
}

static bool is_known_host(const char *host, const char *listen_hosts)
{
	if (!host)
		return true; /* HTTP/1.0, which no browser speaks */
	struct slice name = host_of(host);
	return name.len > 0 && (is_of_this_machine(name) || is_among(name, listen_hosts));
}

/* Whether the request comes from a page that this server has not sent. Without Origin and
 * Sec-Fetch-Site it does not come from a browser, or from one too old to send them. */
static bool is_foreign(const struct site_request *request)
{
	if (request->fetch_site)
		return strcmp(request->fetch_site, "same-origin") != 0 &&
		       strcmp(request->fetch_site, "none") != 0; /* the user's own action */
	const char *authority = request->origin ? strstr(request->origin, "://") : NULL;
	return request->origin &&
	       (!authority || !request->host || strcasecmp(authority + 3, request->host) != 0);
}

unsigned site_check(const struct site_request *request, const char *listen_hosts,
		    const char **ret_problem)
{
	bool is_navigation = request->is_page_load && request->fetch_mode &&
			     strcmp(request->fetch_mode, "navigate") == 0;

	if (!request->any_host && !request->is_basic &&
	    !is_known_host(request->host, listen_hosts)) {
		*ret_problem = "a server without a token answers only to localhost, loopback "
			       "addresses and the host of --listen; ask it by one of these, or set "
			       "STEADYCACHE_API_KEY";
		return 421;
	}
	if (is_foreign(request) && !is_navigation) {
		*ret_problem = request->is_basic
				       ? "a token sent as Basic, as browsers do by themselves, is "
					 "refused in requests that come from a page of another "
					 "site; send it as Bearer"
				       : "a server without a token refuses requests that come from "
					 "a page of another site; set STEADYCACHE_API_KEY and send "
					 "it";
		return 403;
	}
	return 0;
}
