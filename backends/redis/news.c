#include "backends/redis/news.h"

#include <limits.h>
#include <stdio.h>
#include <sys/random.h>

#include "backends/redis/command.h"
#include "store/tell.h"

/* ---- Life ---- */

/* A pattern that all names match that begin with "PREFIX:". An ACL must have the very same one, so
 * it is the one that keys have there. */
static void write_pattern(struct buffer *out, const char *prefix)
{
	struct buffer pattern = {0};

	for (const char *at = prefix; *at != '\0'; at++) {
		if (strchr("*?[]^\\", *at))
			buffer_append_char(&pattern, '\\');
		buffer_append_char(&pattern, *at);
	}
	buffer_append(&pattern, SLICE(":*"));
	redis_command_encode(out, buffer_bytes(&pattern));
	out->failed |= pattern.failed;
	buffer_deinit(&pattern);
}

bool redis_news_init(struct redis_news *news, const struct backend_config *config,
		     const char *prefix)
{
	char notify[1 + REDIS_NEWS_ID_LEN] = "p";

	*news = (struct redis_news){
		.config = *config,
		.told = config->news,
		.user = config->news_user,
		.notice = config->notice,
		.notice_user = config->notice_user,
		.prefix = prefix,
		.is_always_wanted = config->news && config->news_always,
	};
	if (getrandom(news->id, sizeof(news->id), 0) != (ssize_t)sizeof(news->id))
		return false;
	memcpy(notify + 1, news->id, sizeof(news->id));
	redis_command_encode(&news->notify, (struct slice){.data = notify, .len = sizeof(notify)});
	write_pattern(&news->pattern, prefix);
	if (!news->notify.failed && !news->pattern.failed)
		return true;
	redis_news_deinit(news);
	return false;
}

void redis_news_deinit(struct redis_news *news)
{
	buffer_deinit(&news->notify);
	buffer_deinit(&news->pattern);
}

/* ---- Who wants to hear ---- */

void redis_news_want(struct redis_news *news, int64_t until_us)
{
	if (until_us > news->wanted_until_us)
		news->wanted_until_us = until_us;
}

/* Who watches hears of other servers' writes, too. */
static bool is_watched(const struct redis_news *news)
{
	return news->config.changes_wanted && tell_is_wanted(&news->config);
}

bool redis_news_are_wanted(const struct redis_news *news, int64_t now_us)
{
	return news->is_always_wanted || is_watched(news) || now_us < news->wanted_until_us;
}

bool redis_news_are_heard(const struct redis_news *news)
{
	return atomic_load(&news->are_heard);
}

/* ---- What an ACL allows ---- */

/* One sentence, until it is allowed. */
static void judge(struct redis_news *news, bool *is_barred, bool may, const char *command)
{
	char sentence[500];
	bool is_new = !may && !*is_barred;

	*is_barred = !may;
	if (!is_new || !news->notice)
		return;
	(void)snprintf(
		sentence, sizeof(sentence),
		"redis: the user may not %s, so a near cache shows what another server wrote "
		"up to --near-ttl late; allow it: ACL SETUSER USER +%s &%s:*",
		command, command, news->prefix);
	news->notice(news->notice_user, NOTICE_WARN, sentence);
}

void redis_news_may_publish(struct redis_news *news, bool may)
{
	judge(news, &news->is_barred_to_publish, may, "publish");
}

void redis_news_may_subscribe(struct redis_news *news, bool may)
{
	judge(news, &news->is_barred_to_subscribe, may, "psubscribe");
}

bool redis_news_are_barred(const struct redis_news *news)
{
	return news->is_barred_to_publish || news->is_barred_to_subscribe;
}

/* ---- Commands ---- */

void redis_news_write_hello(const char *prefix, struct remote_request *request)
{
	struct buffer channel = {0};

	buffer_printf(&channel, "%s:{}:m", prefix);
	redis_command_begin(request, 3);
	redis_command_word(request, SLICE("PUBLISH"));
	redis_command_word(request, buffer_bytes(&channel));
	redis_command_word(request, SLICE("H\0"));
	request->body.failed |= channel.failed;
	buffer_deinit(&channel);
}

void redis_news_write_subscribe(const struct redis_news *news, struct remote_request *request)
{
	redis_command_begin(request, 2);
	redis_command_word(request, SLICE("PSUBSCRIBE"));
	buffer_append(&request->body, buffer_bytes(&news->pattern));
}

/* ---- Hearing ---- */

static void tell(const struct redis_news *news, enum cache_news_kind kind, struct slice ns,
		 struct slice key, struct slice token)
{
	const struct cache_news told = {.kind = kind, .ns = ns, .key = key, .token = token};

	if (news->told)
		news->told(news->user, &told);
	switch (kind) {
	case NEWS_WRITTEN:
		tell_change(&news->config, CHANGE_SET, ns, key);
		break;
	case NEWS_DELETED:
		tell_change(&news->config, CHANGE_DELETE, ns, key);
		break;
	case NEWS_CLEARED:
		tell_change(&news->config, CHANGE_CLEAR, ns, key);
		break;
	case NEWS_MAY_BE_MISSING:
		tell_change(&news->config, CHANGE_MISSED, ns, key);
		break;
	case NEWS_LEASE_ENDED:
		break;
	}
}

void redis_news_begin(struct redis_news *news)
{
	atomic_store(&news->are_heard, true);
	tell(news, NEWS_MAY_BE_MISSING, SLICE(""), SLICE(""), SLICE(""));
}

void redis_news_end(struct redis_news *news, bool is_lost)
{
	if (atomic_exchange(&news->are_heard, false) && is_lost)
		(void)atomic_fetch_add(&news->lost, 1);
}

static bool take_start(struct slice *from, struct slice start)
{
	if (!slice_starts_with(*from, start))
		return false;
	from->data += start.len;
	from->len -= start.len;
	return true;
}

static bool take_digits(struct slice *from)
{
	size_t len = 0;

	while (len < from->len && from->data[len] >= '0' && from->data[len] <= '9')
		len++;
	from->data += len;
	from->len -= len;
	return len > 0;
}

/* The namespace in "NAMESPACE:PARTITION}:m" or "NAMESPACE:PARTITION.NUMBER}:m". */
static bool read_namespace(struct slice rest, struct slice *ret)
{
	const char *colon = rest.len > 0 ? memchr(rest.data, ':', rest.len) : NULL;

	if (!colon)
		return false;
	*ret = (struct slice){.data = rest.data, .len = (size_t)(colon - rest.data)};
	rest = (struct slice){.data = colon + 1, .len = rest.len - ret->len - 1};
	return namespace_name_is_valid(*ret) && take_digits(&rest) &&
	       (!take_start(&rest, SLICE(".")) || take_digits(&rest)) &&
	       slice_equal(rest, SLICE("}:m"));
}

/* The next of the strings of a message. */
static bool take_string(struct slice *from, struct slice *ret)
{
	const unsigned char *bytes = (const unsigned char *)from->data;
	size_t len;

	if (from->len < 4)
		return false;
	len = bytes[0] | (size_t)bytes[1] << 8 | (size_t)bytes[2] << 16 | (size_t)bytes[3] << 24;
	if (len > from->len - 4)
		return false;
	*ret = (struct slice){.data = from->data + 4, .len = len};
	from->data += 4 + len;
	from->len -= 4 + len;
	return true;
}

/* How many strings there are; -1: these are none. */
static long count_strings(struct slice strings)
{
	struct slice ignored;
	long count = 0;

	while (strings.len > 0) {
		if (!take_string(&strings, &ignored))
			return -1;
		count++;
	}
	return count;
}

/* Letters of the script, and how many strings come with each. */
static const struct form {
	char letter;
	enum cache_news_kind kind;
	long least, most;
} forms[] = {
	{'W', NEWS_WRITTEN, 1, LONG_MAX}, {'D', NEWS_DELETED, 1, LONG_MAX},
	{'C', NEWS_CLEARED, 0, 0},        {'P', NEWS_CLEARED, 1, 1},
	{'L', NEWS_LEASE_ENDED, 2, 2},
};

static const struct form *form_of(char letter, struct slice strings)
{
	long count = count_strings(strings);

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		if (forms[i].letter == letter)
			return count >= forms[i].least && count <= forms[i].most ? &forms[i] : NULL;
	return NULL;
}

static void tell_all(const struct redis_news *news, const struct form *form, struct slice ns,
		     struct slice strings)
{
	struct slice key = {0}, token = {0};

	if (form->most == LONG_MAX) {
		while (take_string(&strings, &key))
			tell(news, form->kind, ns, key, token);
		return;
	}
	/* A prefix, a key and the token of its lease, or nothing at all. */
	(void)take_string(&strings, &key);
	(void)take_string(&strings, &token);
	tell(news, form->kind, ns, key, token);
}

/* Whose news it is; `rest`: what it is about. */
static bool read_head(struct slice message, char *ret_letter, struct slice *ret_id,
		      struct slice *ret_rest)
{
	size_t id_len = message.len > 1 ? (unsigned char)message.data[1] : 0;

	if (message.len < 2 + id_len)
		return false;
	*ret_letter = message.data[0];
	*ret_id = (struct slice){.data = message.data + 2, .len = id_len};
	*ret_rest =
		(struct slice){.data = message.data + 2 + id_len, .len = message.len - 2 - id_len};
	return true;
}

void redis_news_take(struct redis_news *news, struct slice channel, struct slice message)
{
	const struct slice own = {.data = news->id, .len = sizeof(news->id)};
	const struct form *form = NULL;
	struct slice ns, id, strings;
	char letter;

	/* Another prefix may begin with ours. */
	if (!take_start(&channel, slice_of(news->prefix)) || !take_start(&channel, SLICE(":{")) ||
	    slice_equal(channel, SLICE("}:m")))
		return;
	if (read_namespace(channel, &ns) && read_head(message, &letter, &id, &strings))
		form = form_of(letter, strings);
	if (!form) {
		(void)atomic_fetch_add(&news->malformed, 1);
	} else if (slice_equal(id, own)) {
		(void)atomic_fetch_add(&news->own, 1);
	} else {
		(void)atomic_fetch_add(&news->heard, 1);
		tell_all(news, form, ns, strings);
	}
}

/* ---- Numbers ---- */

size_t redis_news_gauges(const struct redis_news *news, struct backend_gauge *ret, size_t max)
{
	const struct backend_gauge gauges[] = {
		GAUGE_LEVEL("news", "subscribed", atomic_load(&news->are_heard),
			    "Whether other servers' writes are heard of: 1 or 0."),
		GAUGE_COUNTER("news", "heard", atomic_load(&news->heard),
			      "Messages of other servers about their writes."),
		GAUGE_COUNTER("news", "own", atomic_load(&news->own),
			      "Messages of this server itself, which it skips."),
		GAUGE_COUNTER("news", "malformed", atomic_load(&news->malformed),
			      "Messages that are not of this program, which it ignores."),
		GAUGE_COUNTER("news", "lost", atomic_load(&news->lost),
			      "Times that the subscription was lost."),
	};
	const size_t own = sizeof(gauges) / sizeof(gauges[0]);
	size_t count = 0;

	for (; count < own && count < max; count++)
		ret[count] = gauges[count];
	return count;
}
