/* Whom a connection over TLS trusts, and as whom it shows itself. */
#ifndef STEADYCACHE_REDIS_TRUST_H
#define STEADYCACHE_REDIS_TRUST_H

#include <gnutls/gnutls.h>
#include <stddef.h>

struct redis_trust {
	gnutls_certificate_credentials_t credentials;
};

/* Reads PEM files: the authorities (NULL: the system's), and a certificate with its key (NULL:
 * none). NULL with a sentence. */
struct redis_trust *redis_trust_create(const char *ca_file, const char *cert_file,
				       const char *key_file, char *error, size_t error_size);
/* NULL is allowed. */
void redis_trust_free(struct redis_trust *trust);

#endif
