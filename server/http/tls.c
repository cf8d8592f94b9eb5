#include "server/http/tls.h"

#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Certificates of the server's chain. */
#define CHAIN_MAX 16

/* The content of the files, until nobody uses it any more. */
struct material {
	unsigned users; /* guarded by the lock; being in force counts as one */
	gnutls_datum_t cert, key;
	gnutls_x509_trust_list_t client_ca; /* NULL: clients need no certificate */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct material *in_force;

static struct material *acquire(void)
{
	(void)pthread_mutex_lock(&lock);
	struct material *material = in_force;
	if (material)
		material->users++;
	(void)pthread_mutex_unlock(&lock);
	return material;
}

static void destroy(struct material *material)
{
	if (material->key.data)
		explicit_bzero(material->key.data, material->key.size);
	gnutls_free(material->key.data);
	gnutls_free(material->cert.data);
	if (material->client_ca)
		gnutls_x509_trust_list_deinit(material->client_ca, 1);
	free(material);
}

/* NULL is allowed. */
static void release(struct material *material)
{
	(void)pthread_mutex_lock(&lock);
	bool unused = material && --material->users == 0;
	(void)pthread_mutex_unlock(&lock);
	if (unused)
		destroy(material);
}

/* ---- Reading ---- */

static bool fail(char *error, size_t error_size, const char *what, const char *path,
		 const char *reason, const char *option)
{
	(void)snprintf(error, error_size, "cannot use %s %s: %s (--%s)", what, path, reason,
		       option);
	return false;
}

/* Whether the two files make a pair that can serve. */
static bool check_pair(const struct tls_files *files, const struct material *material, char *error,
		       size_t error_size)
{
	gnutls_certificate_credentials_t credentials = NULL;
	gnutls_x509_crt_t *chain = NULL;
	gnutls_x509_privkey_t key = NULL;
	unsigned count = 0;
	int code = gnutls_x509_crt_list_import2(&chain, &count, &material->cert,
						GNUTLS_X509_FMT_PEM, 0);
	bool good = code >= 0;

	if (good && count > CHAIN_MAX)
		good = fail(error, error_size, "the certificate", files->cert,
			    "it has more than 16 in its chain", "tls-cert");
	else if (!good)
		(void)fail(error, error_size, "the certificate", files->cert, gnutls_strerror(code),
			   "tls-cert");
	if (good && (code = gnutls_x509_privkey_init(&key)) >= 0)
		code = gnutls_x509_privkey_import2(key, &material->key, GNUTLS_X509_FMT_PEM, NULL,
						   0);
	if (good && code < 0)
		good = fail(error, error_size, "the key", files->key, gnutls_strerror(code),
			    "tls-key");
	if (good && (code = gnutls_certificate_allocate_credentials(&credentials)) >= 0)
		code = gnutls_certificate_set_x509_key(credentials, chain, (int)count, key);
	if (good && code < 0)
		good = fail(error, error_size, "the key", files->key,
			    code == GNUTLS_E_CERTIFICATE_KEY_MISMATCH
				    ? "it is not that of the certificate"
				    : gnutls_strerror(code),
			    "tls-key");
	if (credentials)
		gnutls_certificate_free_credentials(credentials);
	if (key)
		gnutls_x509_privkey_deinit(key);
	for (unsigned i = 0; i < count; i++)
		gnutls_x509_crt_deinit(chain[i]);
	gnutls_free(chain);
	return good;
}

static bool read_client_ca(const char *path, struct material *material, char *error,
			   size_t error_size)
{
	gnutls_datum_t text = {0};
	int code = gnutls_load_file(path, &text);

	if (code >= 0)
		code = gnutls_x509_trust_list_init(&material->client_ca, 0);
	if (code >= 0)
		code = gnutls_x509_trust_list_add_trust_mem(material->client_ca, &text, NULL,
							    GNUTLS_X509_FMT_PEM, 0, 0);
	gnutls_free(text.data);
	if (code > 0)
		return true;
	return fail(error, error_size, "the authorities in", path,
		    code == 0 ? "there is no certificate in it" : gnutls_strerror(code),
		    "tls-client-ca");
}

static bool read_files(const struct tls_files *files, struct material *material, char *error,
		       size_t error_size)
{
	int code = gnutls_load_file(files->cert, &material->cert);

	if (code < 0)
		return fail(error, error_size, "the certificate", files->cert,
			    gnutls_strerror(code), "tls-cert");
	code = gnutls_load_file(files->key, &material->key);
	if (code < 0)
		return fail(error, error_size, "the key", files->key, gnutls_strerror(code),
			    "tls-key");
	return check_pair(files, material, error, error_size) &&
	       (!files->client_ca || read_client_ca(files->client_ca, material, error, error_size));
}

bool tls_load(const struct tls_files *files, char *error, size_t error_size)
{
	struct material *material = calloc(1, sizeof(*material));

	if (!material) {
		(void)snprintf(error, error_size, "out of memory for the certificate (--tls-cert)");
		return false;
	}
	material->users = 1;
	if (!read_files(files, material, error, error_size)) {
		destroy(material);
		return false;
	}
	(void)pthread_mutex_lock(&lock);
	struct material *before = in_force;
	in_force = material;
	(void)pthread_mutex_unlock(&lock);
	release(before);
	return true;
}

void tls_unload(void)
{
	struct material *before = in_force;

	in_force = NULL;
	release(before);
}

/* ---- Handshakes ---- */

/* Checks the client's certificate against the authorities. Called at the end of a handshake. */
static int verify_client(gnutls_session_t session)
{
	unsigned count = 0;
	unsigned status = 0;
	const gnutls_datum_t *raw = gnutls_certificate_get_peers(session, &count);
	gnutls_x509_crt_t chain[CHAIN_MAX];
	unsigned made = 0;
	gnutls_typed_vdata_st purpose = {
		.type = GNUTLS_DT_KEY_PURPOSE_OID,
		.data = (unsigned char *)(uintptr_t)GNUTLS_KP_TLS_WWW_CLIENT,
	};
	struct material *material = acquire();
	bool good = material && raw && count > 0 && count <= CHAIN_MAX;

	/* Reloaded in between, without authorities: as strict as when the handshake began. */
	good = good && material->client_ca;
	for (; good && made < count; made += good)
		good = gnutls_x509_crt_init(&chain[made]) >= 0 &&
		       (gnutls_x509_crt_import(chain[made], &raw[made], GNUTLS_X509_FMT_DER) >= 0 ||
			(gnutls_x509_crt_deinit(chain[made]), false));
	good = good &&
	       gnutls_x509_trust_list_verify_crt2(material->client_ca, chain, count, &purpose, 1, 0,
						  &status, NULL) >= 0 &&
	       status == 0;
	while (made > 0)
		gnutls_x509_crt_deinit(chain[--made]);
	release(material);
	if (good)
		return 0;
	/* The HTTP library would tell the client nothing. */
	(void)gnutls_alert_send(session, GNUTLS_AL_FATAL, GNUTLS_A_BAD_CERTIFICATE);
	return GNUTLS_E_CERTIFICATE_ERROR;
}

/* Copies the chain and the key for one handshake, which frees the copy: so a reload can release its
 * material at any time. */
static int copy_pair(const struct material *material, gnutls_pcert_st **ret_chain,
		     unsigned *ret_count, gnutls_privkey_t *ret_key)
{
	unsigned count = CHAIN_MAX;
	gnutls_privkey_t key = NULL;
	gnutls_pcert_st *chain = gnutls_calloc(CHAIN_MAX, sizeof(*chain));
	int code = chain ? gnutls_pcert_list_import_x509_raw(chain, &count, &material->cert,
							     GNUTLS_X509_FMT_PEM, 0)
			 : GNUTLS_E_MEMORY_ERROR;

	if (code < 0)
		count = 0;
	if (code >= 0 && (code = gnutls_privkey_init(&key)) >= 0)
		code = gnutls_privkey_import_x509_raw(key, &material->key, GNUTLS_X509_FMT_PEM,
						      NULL, 0);
	if (code >= 0) {
		*ret_chain = chain;
		*ret_count = count;
		*ret_key = key;
		return 0;
	}
	if (key)
		gnutls_privkey_deinit(key);
	for (unsigned i = 0; i < count; i++)
		gnutls_pcert_deinit(&chain[i]);
	gnutls_free(chain);
	return -1;
}

int tls_choose(gnutls_session_t session, const struct gnutls_cert_retr_st *info,
	       gnutls_pcert_st **certs, unsigned int *certs_length, gnutls_ocsp_data_st **ocsp,
	       unsigned int *ocsp_length, gnutls_privkey_t *privkey, unsigned int *flags)
{
	struct material *material = acquire();

	(void)info;
	*ocsp = NULL;
	*ocsp_length = 0;
	*flags = GNUTLS_CERT_RETR_DEINIT_ALL;
	if (!material)
		return -1;
	if (material->client_ca) {
		gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUIRE);
		gnutls_session_set_verify_function(session, verify_client);
	}
	int code = copy_pair(material, certs, certs_length, privkey);
	release(material);
	return code;
}
