/* `token new`: a new token, and its line for the token file of a server. Only the line is
 * stored, and the token cannot be derived from it. */
#include <nettle/base64.h>
#include <string.h>
#include <sys/random.h>

#include "base/buffer.h"
#include "base/token_line.h"
#include "client/command.h"
#include "client/output.h"

#define RANDOM_BYTES 32
/* Lets secret scanners recognize a token in a log or a repository. */
#define PREFIX "sc_"

/* Writes a token of 256 random bits, in base64url without padding. */
static bool make_token(char ret[static sizeof(PREFIX) + BASE64_ENCODE_RAW_LENGTH(RANDOM_BYTES)])
{
	uint8_t random[RANDOM_BYTES];
	struct base64_encode_ctx context;
	char *out = ret + strlen(PREFIX);

	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return false;
	memcpy(ret, PREFIX, strlen(PREFIX));
	base64url_encode_init(&context);
	size_t len = base64_encode_update(&context, out, sizeof(random), random);
	len += base64_encode_final(&context, out + len);
	while (out[len - 1] == '=')
		len--;
	out[len] = '\0';
	explicit_bzero(random, sizeof(random));
	return true;
}

static void append_option(struct buffer *line, const struct arguments *arguments,
			  enum client_option_id id, const char *fallback)
{
	const char *value = arguments->options[id] ? arguments->options[id] : fallback;

	if (value)
		buffer_printf(line, " %s=%s", client_options[id].name, value);
}

int command_token(const struct arguments *arguments)
{
	char token[sizeof(PREFIX) + BASE64_ENCODE_RAW_LENGTH(RANDOM_BYTES)];
	uint8_t digest[TOKEN_DIGEST_BYTES];
	struct token_line parsed;
	struct buffer line = {0};
	char reason[200];

	if (strcmp(arguments->operands[0], "new") != 0)
		return client_fail(CLIENT_USAGE, "token can only be \"new\", not \"%s\"",
				   arguments->operands[0]);
	if (!arguments->options[OPT_NAME] || !arguments->options[OPT_RIGHTS])
		return client_fail(CLIENT_USAGE, "token new needs --name and --rights");
	if (!make_token(token))
		return client_fail(CLIENT_LOCAL, "the system gives no random bytes");
	token_digest(slice_of(token), digest);
	buffer_printf(&line, "name=%s sha256=", arguments->options[OPT_NAME]);
	for (size_t i = 0; i < sizeof(digest); i++)
		buffer_printf(&line, "%02x", digest[i]);
	append_option(&line, arguments, OPT_RIGHTS, NULL);
	append_option(&line, arguments, OPT_NAMESPACES, "*");
	append_option(&line, arguments, OPT_RATE, NULL);
	append_option(&line, arguments, OPT_EXPIRES, NULL);
	int code = CLIENT_LOCAL;
	if (line.failed) {
		(void)client_fail(code, "out of memory");
	} else if (!token_line_parse(buffer_bytes(&line), &parsed, reason, sizeof(reason))) {
		code = client_fail(CLIENT_USAGE, "%s", reason);
	} else {
		(void)printf("%s\n%.*s\n", token, (int)line.len, line.data);
		code = output_finish();
	}
	explicit_bzero(token, sizeof(token));
	buffer_deinit(&line);
	return code;
}
