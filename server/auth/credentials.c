#include "server/auth/credentials.h"

#include <stdio.h>

#include "server/auth/secret_file.h"
#include "server/http/tls.h"
#include "server/log/log.h"

static bool open_auth(struct auth *auth, const struct options *options, char *error,
		      size_t error_size)
{
	const struct auth_sources sources = {
		.keys = options->api_key,
		.keys_file = secret_file_path(options->api_key),
		.token_file = options->token_file,
	};

	return auth_init(auth, &sources, NULL, error, error_size);
}

static struct tls_files tls_files_of(const struct options *options)
{
	return (struct tls_files){
		.cert = options->tls_cert,
		.key = options->tls_key,
		.client_ca = options->tls_client_ca,
	};
}

/* Reads the certificate, if there is one. */
static bool open_tls(const struct options *options, char *error, size_t error_size)
{
	const struct tls_files files = tls_files_of(options);

	if (!files.cert != !files.key || (files.client_ca && !files.cert)) {
		(void)snprintf(error, error_size,
			       "--tls-cert and --tls-key must be set together, and --tls-client-ca "
			       "needs both");
		return false;
	}
	return !files.cert || tls_load(&files, error, error_size);
}

static void reload_tls(const struct options *options)
{
	const struct tls_files files = tls_files_of(options);
	char error[600] = "";

	if (tls_load(&files, error, sizeof(error)))
		log_line(LOG_INFO, "the certificate was read again");
	else
		log_line(LOG_ERROR, "the certificate stays as it was", LOG_TEXT("reason", error));
}

static void reload_tokens(struct auth *auth)
{
	char error[600] = "";

	if (auth_reload(auth, error, sizeof(error)))
		log_line(LOG_INFO, "the tokens were read again");
	else
		log_line(LOG_ERROR, "the tokens stay as they were", LOG_TEXT("reason", error));
}

bool credentials_can_reload(const struct options *options, const struct auth *auth)
{
	return options->tls_cert || auth_can_reload(auth);
}

int credentials_await_end(const sigset_t *signals, const struct options *options, struct auth *auth)
{
	int caught = 0;

	while (sigwait(signals, &caught) == 0) {
		if (caught == SIGUSR1)
			(void)log_change_level("debug");
		else if (caught == SIGUSR2)
			(void)log_change_level(NULL);
		else if (caught != SIGHUP)
			break;
		if (caught == SIGHUP && options->tls_cert)
			reload_tls(options);
		if (caught == SIGHUP && auth_can_reload(auth))
			reload_tokens(auth);
	}
	return caught;
}

bool credentials_open(struct auth *auth, const struct options *options, char *error,
		      size_t error_size)
{
	return open_auth(auth, options, error, error_size) && open_tls(options, error, error_size);
}

void credentials_close(struct auth *auth)
{
	auth_deinit(auth);
	tls_unload();
}
