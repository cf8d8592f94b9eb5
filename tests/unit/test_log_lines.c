/* The lines of the log, each written to stderr by one write. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/log/log.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* What one log_write writes in its one write(2): a datagram. */
static char *written(enum log_level level, const char *message, const struct log_field *fields)
{
	static char line[8192];
	int pair[2];
	int kept = dup(STDERR_FILENO);

	cr_assert_eq(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair), 0);
	(void)dup2(pair[0], STDERR_FILENO);
	log_write(level, message, fields);
	(void)dup2(kept, STDERR_FILENO);
	(void)close(pair[0]);
	ssize_t len = recv(pair[1], line, sizeof(line) - 1, MSG_DONTWAIT);
	line[len > 0 ? len : 0] = '\0';
	cr_expect_lt(recv(pair[1], &(char){0}, 1, MSG_DONTWAIT), 1, "it takes two writes");
	(void)close(pair[1]);
	(void)close(kept);
	return line;
}

static char *written_text(const char *text)
{
	return written(LOG_WARN, "m", (const struct log_field[]){LOG_TEXT("f", text), {0}});
}

Test(log, logfmt_quotes_what_is_not_a_plain_word)
{
	static const struct {
		const char *text, *field;
	} cases[] = {
		{"plain", " f=plain\n"},
		{"/a,b:c-d", " f=/a,b:c-d\n"},
		{"", " f=\"\"\n"},
		{"two words", " f=\"two words\"\n"},
		{"a=b", " f=\"a=b\"\n"},
		{"say \"x\"", " f=\"say \\\"x\\\"\"\n"},
		{"back\\slash", " f=\"back\\\\slash\"\n"},
		{"new\nline", " f=\"new\\u000aline\"\n"},
		{"\x7F", " f=\"\\u007f\"\n"},
		{"\xC3\xA4", " f=\"\xC3\xA4\"\n"},
		{"\xFF", " f=\"\\u00ff\"\n"},
	};

	log_configure("info", false);
	for (size_t i = 0; i < COUNT(cases); i++) {
		const char *line = written_text(cases[i].text);
		const char *field = strstr(line, " f=");

		cr_expect_eq(strncmp(line, "time=20", 7), 0, "%s", line);
		cr_expect_not_null(strstr(line, "Z level=warn msg=m f="), "%s", line);
		cr_assert_not_null(field, "%s", line);
		cr_expect_str_eq(field, cases[i].field);
	}
}

Test(log, numbers_stand_unquoted_in_both_forms)
{
	const struct log_field fields[] = {LOG_NUMBER("a", INT64_MIN), LOG_NUMBER("b", 0), {0}};

	log_configure("info", false);
	cr_expect_not_null(strstr(written(LOG_ERROR, "two words", fields),
				  " level=error msg=\"two words\" a=-9223372036854775808 b=0\n"));
	log_configure("info", true);
	cr_expect_not_null(strstr(written(LOG_ERROR, "two words", fields),
				  "\"msg\":\"two words\",\"a\":-9223372036854775808,\"b\":0}\n"));
}

static json_t *parse_line(const char *line)
{
	size_t len = strlen(line);
	json_t *document = json_loads(line, JSON_REJECT_DUPLICATES, NULL);

	cr_assert(json_is_object(document), "not a JSON object: %s", line);
	cr_expect_eq(strchr(line, '\n'), line + len - 1, "not one line: %s", line);
	return document;
}

Test(log, json_carries_any_text)
{
	static const char *const texts[] = {"",
					    "plain",
					    "\"\\/{}",
					    "\b\f\n\r\t\x01\x1F\x7F",
					    "\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80",
					    "\xE2\x80\xA8"};

	log_configure("info", true);
	for (size_t i = 0; i < COUNT(texts); i++) {
		json_auto_t *line = parse_line(written_text(texts[i]));

		cr_expect_str_eq(json_string_value(json_object_get(line, "f")), texts[i]);
		cr_expect_str_eq(json_string_value(json_object_get(line, "level")), "warn");
		cr_expect_eq(json_object_size(line), 4);
	}
	json_decref(parse_line(written_text("\xC3\xA4\xC3(\xFF\x80\xED\xA0\x80")));
}

/* Whatever is at the cut: a plain character, an escape, a long character. */
Test(log, a_line_too_long_is_cut_and_still_parses)
{
	static const char *const pieces[] = {"x",   "\n", "\"", "\xE2\x82\xAC", "\xF0\x9F\x98\x80",
					     "\xFF"};
	char text[5000];

	for (size_t i = 0; i < COUNT(pieces); i++)
		for (size_t shift = 0; shift < 8; shift++) {
			size_t len = shift;

			memset(text, 'x', shift);
			while (len + 5 < sizeof(text)) {
				strcpy(text + len, pieces[i]);
				len += strlen(pieces[i]);
			}
			const struct log_field fields[] = {
				LOG_TEXT("f", text), LOG_NUMBER("n", 1), LOG_TEXT("g", text), {0}};
			log_configure("info", true);
			json_auto_t *line = parse_line(written(LOG_INFO, "m", fields));
			size_t kept = json_string_length(json_object_get(line, "f"));
			cr_expect_gt(kept, 250, "piece %zu", i);
			json_decref(parse_line(written(LOG_INFO, text, fields)));
			log_configure("info", false);
			char *plain = written(LOG_INFO, text, fields);
			cr_expect_leq(strlen(plain), 2048);
			cr_expect_eq(plain[strlen(plain) - 1], '\n');
		}
}

Test(log, levels)
{
	static const struct {
		const char *name;
		enum log_level least;
	} cases[] = {
		{"debug", LOG_DEBUG},    {"info", LOG_INFO},   {"warn", LOG_WARN},
		{"warning", LOG_WARN},   {"WARN", LOG_WARN},   {"error", LOG_ERROR},
		{"critical", LOG_ERROR}, {"Error", LOG_ERROR},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		log_configure(cases[i].name, false);
		for (int level = LOG_DEBUG; level <= LOG_ERROR; level++) {
			bool on = level >= (int)cases[i].least;
			const char *line = written((enum log_level)level, "m",
						   (const struct log_field[]){{0}});

			cr_expect_eq(log_is_on((enum log_level)level), on, "%s", cases[i].name);
			cr_expect_eq(*line != '\0', on, "%s", cases[i].name);
		}
	}
}
