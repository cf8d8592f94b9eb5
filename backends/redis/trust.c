#include "backends/redis/trust.h"

#include <stdio.h>
#include <stdlib.h>

struct redis_trust *redis_trust_create(const char *ca_file, const char *cert_file,
				       const char *key_file, char *error, size_t error_size)
{
	struct redis_trust *trust = calloc(1, sizeof(*trust));

	if (!trust || gnutls_certificate_allocate_credentials(&trust->credentials) < 0) {
		free(trust);
		(void)snprintf(error, error_size, "redis: out of memory");
		return NULL;
	}
	/* The number of authorities, or an error. */
	int count = ca_file ? gnutls_certificate_set_x509_trust_file(trust->credentials, ca_file,
								     GNUTLS_X509_FMT_PEM)
			    : gnutls_certificate_set_x509_system_trust(trust->credentials);
	if (ca_file && count <= 0) {
		(void)snprintf(error, error_size,
			       "cannot read authorities from %s: %s "
			       "(--redis-ca-file)",
			       ca_file,
			       count < 0 ? gnutls_strerror(count) : "it has no certificate");
		redis_trust_free(trust);
		return NULL;
	}
	int result = cert_file ? gnutls_certificate_set_x509_key_file(trust->credentials, cert_file,
								      key_file, GNUTLS_X509_FMT_PEM)
			       : 0;
	if (result < 0) {
		(void)snprintf(error, error_size,
			       "cannot read a certificate from %s and its key "
			       "from %s: %s (--redis-cert-file, --redis-key-file)",
			       cert_file, key_file, gnutls_strerror(result));
		redis_trust_free(trust);
		return NULL;
	}
	return trust;
}

void redis_trust_free(struct redis_trust *trust)
{
	if (!trust)
		return;
	gnutls_certificate_free_credentials(trust->credentials);
	free(trust);
}
