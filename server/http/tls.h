/* TLS: the server's certificate and key, and the authorities for clients' certificates, read from
 * PEM files, and read again on request. New handshakes use what is in force then; existing
 * connections continue unchanged.
 *
 * The HTTP library passes each handshake to tls_choose, without a pointer of ours: so there is one
 * configuration in a process. */
#ifndef STEADYCACHE_SERVER_TLS_H
#define STEADYCACHE_SERVER_TLS_H

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <stdbool.h>
#include <stddef.h>

/* TLS 1.2 and up. */
#define TLS_PRIORITIES "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

/* Paths of PEM files, which must outlive their use. */
struct tls_files {
	const char *cert;      /* the server's certificate, followed by its chain; NULL: no TLS */
	const char *key;       /* NULL if cert is */
	const char *client_ca; /* NULL: clients need no certificate */
};

/* Reads the files and, if all of them are valid, puts them in force. False with a sentence in
 * `error`, and nothing has changed. Also used to read them again. One thread at a time. */
bool tls_load(const struct tls_files *files, char *error, size_t error_size);

/* Frees what is in force. No handshake may be in progress. */
void tls_unload(void);

/* For MHD_OPTION_HTTPS_CERT_CALLBACK2. Any thread. */
extern gnutls_certificate_retrieve_function3 tls_choose;

#endif
