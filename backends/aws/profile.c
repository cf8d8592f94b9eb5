#include "backends/aws/profile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#define FILE_MAX_BYTES (1 << 20)

static const char *variable(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

const char *aws_profile_name(void)
{
	const char *name = variable("AWS_PROFILE");

	if (!name)
		name = variable("AWS_DEFAULT_PROFILE");
	return name ? name : "default";
}

bool aws_profile_path(enum aws_file file, char *ret, size_t size)
{
	bool is_config = file == AWS_FILE_CONFIG;
	const char *path = variable(is_config ? "AWS_CONFIG_FILE" : "AWS_SHARED_CREDENTIALS_FILE");
	const char *home = variable("HOME");
	int len;

	if (path && strncmp(path, "~/", 2) != 0)
		len = snprintf(ret, size, "%s", path);
	else if (!home)
		return false;
	else if (path)
		len = snprintf(ret, size, "%s%s", home, path + 1);
	else
		len = snprintf(ret, size, "%s/.aws/%s", home, is_config ? "config" : "credentials");
	return len > 0 && (size_t)len < size;
}

char *aws_profile_load(const char *path, size_t *ret_len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* nor does a pipe hold it up */
	size_t len = 0;
	ssize_t count = 1;

	if (fd < 0)
		return NULL;
	char *text = malloc(FILE_MAX_BYTES);
	while (text && count > 0 && len < FILE_MAX_BYTES) {
		count = read(fd, text + len, FILE_MAX_BYTES - len);
		if (count > 0)
			len += (size_t)count;
	}
	int failure = !text ? ENOMEM : count < 0 ? errno : len == FILE_MAX_BYTES ? EFBIG : 0;
	(void)close(fd);
	if (failure) {
		free(text);
		errno = failure;
		return NULL;
	}
	*ret_len = len;
	return text;
}

/* ---- Lines ---- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static struct slice trim(struct slice text)
{
	while (text.len > 0 && is_blank(text.data[0]))
		text = (struct slice){text.data + 1, text.len - 1};
	while (text.len > 0 && is_blank(text.data[text.len - 1]))
		text.len--;
	return text;
}

/* Takes the first line of `text`. */
static struct slice next_line(struct slice *text)
{
	const char *end = memchr(text->data, '\n', text->len);
	struct slice line = {text->data, end ? (size_t)(end - text->data) : text->len};
	size_t gone = end ? line.len + 1 : line.len;

	*text = (struct slice){text->data + gone, text->len - gone};
	return line;
}

/* Whether `line`, trimmed, is the heading of `profile`. */
static bool is_heading_of(struct slice line, enum aws_file file, const char *profile)
{
	struct slice name = {line.data + 1, line.len - 1};
	const char *end = memchr(name.data, ']', name.len);
	bool is_default = strcmp(profile, "default") == 0;

	if (!end)
		return false;
	name = trim((struct slice){name.data, (size_t)(end - name.data)});
	if (file == AWS_FILE_CONFIG && slice_starts_with(name, SLICE("profile")) && name.len > 7 &&
	    is_blank(name.data[7]))
		name = trim((struct slice){name.data + 7, name.len - 7});
	else if (file == AWS_FILE_CONFIG && !is_default)
		return false;
	return slice_equal(name, slice_of(profile));
}

static size_t indent_of(struct slice line)
{
	size_t indent = 0;

	while (indent < line.len && is_blank(line.data[indent]))
		indent++;
	return indent;
}

/* Walks over the lines of the profile. Those that are indented more than the key before them belong
 * to its value (nested settings, which have no keys). */
static bool look(struct slice text, enum aws_file file, const char *profile, const char *key,
		 bool *ret_has_profile, struct slice *ret)
{
	bool is_inside = false, is_found = false, has_key = false;
	size_t key_indent = 0;

	*ret_has_profile = false;
	while (text.len > 0) {
		struct slice whole = next_line(&text), line = trim(whole);

		if (line.len == 0 || line.data[0] == '#' || line.data[0] == ';')
			continue;
		if (line.data[0] == '[') {
			is_inside = is_heading_of(line, file, profile);
			*ret_has_profile |= is_inside;
			has_key = false;
			continue;
		}
		if (has_key && indent_of(whole) > key_indent)
			continue;
		has_key = true;
		key_indent = indent_of(whole);
		size_t name_len = 0;
		while (name_len < line.len && line.data[name_len] != '=' &&
		       line.data[name_len] != ':')
			name_len++;
		struct slice name = trim((struct slice){line.data, name_len});
		if (!is_inside || !key || name_len == line.len || name.len != strlen(key) ||
		    strncasecmp(name.data, key, name.len) != 0)
			continue;
		*ret = trim((struct slice){line.data + name_len + 1, line.len - name_len - 1});
		is_found = ret->len > 0;
	}
	return is_found;
}

bool aws_profile_has(struct slice text, enum aws_file file, const char *profile)
{
	struct slice ignored;
	bool has_profile;

	(void)look(text, file, profile, NULL, &has_profile, &ignored);
	return has_profile;
}

bool aws_profile_find(struct slice text, enum aws_file file, const char *profile, const char *key,
		      struct slice *ret)
{
	bool has_profile;

	return look(text, file, profile, key, &has_profile, ret);
}
