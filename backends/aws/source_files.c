#include "backends/aws/source_files.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "backends/aws/profile.h"

/* What profiles name in place of keys. */
static const char *const other_ways[] = {"credential_process", "sso_session", "sso_start_url",
					 "role_arn", "credential_source"};

struct files {
	struct aws_source source; /* first */
	char profile[256];
	char paths[2][PATH_MAX]; /* by enum aws_file; "": none */
};

static bool copy(struct slice value, char *ret, size_t size)
{
	if (value.len >= size)
		return false;
	memcpy(ret, value.data, value.len);
	ret[value.len] = '\0';
	return true;
}

/* The keys of one file: true; false: it has none, and perhaps a sentence tells why. */
static bool find_keys(const struct files *files, enum aws_file file, struct slice text,
		      struct aws_found *ret, char *error, size_t error_size)
{
	const char *path = files->paths[file], *profile = files->profile;
	struct slice access, secret, token = {0};
	bool has_access = aws_profile_find(text, file, profile, "aws_access_key_id", &access);
	bool has_secret = aws_profile_find(text, file, profile, "aws_secret_access_key", &secret);

	if (!has_access && !has_secret)
		return false;
	if (has_access != has_secret) {
		(void)snprintf(error, error_size, "profile \"%s\" of %s has no %s", profile, path,
			       has_access ? "aws_secret_access_key" : "aws_access_key_id");
		return false;
	}
	(void)aws_profile_find(text, file, profile, "aws_session_token", &token);
	*ret = (struct aws_found){0};
	if (copy(access, ret->keys.access_key, sizeof ret->keys.access_key) &&
	    copy(secret, ret->keys.secret_key, sizeof ret->keys.secret_key) &&
	    (token.len == 0 ||
	     copy(token, ret->keys.session_token, sizeof ret->keys.session_token)))
		return true;
	(void)snprintf(error, error_size, "profile \"%s\" of %s has keys that are too long",
		       profile, path);
	return false;
}

/* Names what the profile has in place of keys. */
static void explain(const struct files *files, enum aws_file file, struct slice text, char *error,
		    size_t error_size)
{
	struct slice value;

	for (size_t i = 0; i < sizeof other_ways / sizeof *other_ways && *error == '\0'; i++)
		if (aws_profile_find(text, file, files->profile, other_ways[i], &value))
			(void)snprintf(error, error_size,
				       "profile \"%s\" of %s has %s, by which steadycache gets no "
				       "keys: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or "
				       "write keys into the profile",
				       files->profile, files->paths[file], other_ways[i]);
}

/* `ret_has_profile`: one of the files has it. */
static bool read_files(const struct files *files, struct aws_found *ret, bool *ret_has_profile,
		       char *error, size_t error_size)
{
	bool is_found = false;

	*error = '\0';
	*ret_has_profile = false;
	for (enum aws_file file = AWS_FILE_CREDENTIALS; file <= AWS_FILE_CONFIG && !is_found;
	     file++) {
		size_t len;

		if (files->paths[file][0] == '\0')
			continue;
		char *text = aws_profile_load(files->paths[file], &len);
		if (!text && errno == ENOENT)
			continue;
		if (!text) {
			(void)snprintf(error, error_size, "%s cannot be read: %s",
				       files->paths[file], strerror(errno));
			return false;
		}
		struct slice whole = {text, len};
		*ret_has_profile |= aws_profile_has(whole, file, files->profile);
		is_found = find_keys(files, file, whole, ret, error, error_size);
		if (!is_found)
			explain(files, file, whole, error, error_size);
		explicit_bzero(text, len);
		free(text);
		if (*error && !is_found)
			return false;
	}
	return is_found;
}

static bool ask_files(struct aws_source *source, struct aws_found *ret, char *error,
		      size_t error_size)
{
	const struct files *files = (const struct files *)source;
	bool has_profile;

	if (read_files(files, ret, &has_profile, error, error_size))
		return true;
	if (*error == '\0')
		(void)snprintf(error, error_size, "profile \"%s\" has no keys in %s",
			       files->profile, files->paths[AWS_FILE_CREDENTIALS]);
	return false;
}

static void close_files(struct aws_source *source)
{
	free(source);
}

static const struct aws_source_ops files_ops = {
	.may_change = true,
	.is_near = true,
	.ask = ask_files,
	.close = close_files,
};

struct aws_source *aws_source_files(char *error, size_t error_size)
{
	struct files *files = calloc(1, sizeof *files);
	struct aws_found *found = calloc(1, sizeof *found);
	bool has_profile = false, is_found = false;

	*error = '\0';
	if (!files || !found) {
		(void)snprintf(error, error_size, "out of memory");
		goto out;
	}
	files->source.ops = &files_ops;
	if (!copy(slice_of(aws_profile_name()), files->profile, sizeof files->profile)) {
		(void)snprintf(error, error_size, "AWS_PROFILE is too long");
		goto out;
	}
	for (enum aws_file file = AWS_FILE_CREDENTIALS; file <= AWS_FILE_CONFIG; file++)
		if (!aws_profile_path(file, files->paths[file], sizeof files->paths[file]))
			files->paths[file][0] = '\0';
	is_found = read_files(files, found, &has_profile, error, error_size);
	if (!is_found && *error == '\0' && strcmp(files->profile, "default") != 0)
		(void)snprintf(error, error_size, "AWS_PROFILE is \"%s\", and %s%s has %s",
			       files->profile, files->paths[AWS_FILE_CREDENTIALS],
			       has_profile ? "" : " (or the configuration file)",
			       has_profile ? "no keys for it" : "no such profile");
out:
	if (found)
		explicit_bzero(found, sizeof *found);
	free(found);
	if (is_found)
		return &files->source;
	free(files);
	return NULL;
}
