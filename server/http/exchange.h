/* One request on libmicrohttpd: from its headers to its answer.
 *
 * libmicrohttpd calls exchange_handle repeatedly for one request: first with the headers, then with
 * each piece of the body, then with its end. The answer is queued in the last of these calls,
 * because queueing it in the first closes the connection. For just that reason a request whose body
 * is not wanted is answered in the first. */
#ifndef STEADYCACHE_SERVER_EXCHANGE_H
#define STEADYCACHE_SERVER_EXCHANGE_H

#include <microhttpd.h>
#include <stddef.h>

/* The access handler; `cls` is the struct exchange_shared. */
enum MHD_Result exchange_handle(void *cls, struct MHD_Connection *connection, const char *url,
				const char *method, const char *version, const char *upload,
				size_t *upload_size, void **state);

#endif
