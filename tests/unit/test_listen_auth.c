/* Where the server listens, and who may connect. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <fcntl.h>
#include <nettle/base64.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/auth/auth.h"
#include "server/auth/authorization.h"
#include "server/http/listen.h"
#include "server/http/listeners.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- Listen addresses ---- */

Test(listen_address, of_a_unix_socket)
{
	static const char *const bad[] = {
		"unix:",           "unix:s",         "unix:@s",
		"unix:/s?mode=",   "unix:/s?mode=8", "unix:/s?mode=1000",
		"unix:/s?mode=-1", "unix:/s?mode",   "unix:/s?owner=no-such-user-here",
		"unix:/s?group=",  "unix:/s?x=1",    "unix:/s?mode=600&x"};
	struct listen_unix place;
	char error[400];
	char text[200] = "unix:/";

	cr_assert(listen_unix_parse("unix:/a/b.sock", &place, error, sizeof(error)));
	cr_expect_str_eq(place.path, "/a/b.sock");
	cr_expect_eq(place.mode, 0600);
	cr_expect_eq(place.owner, (uid_t)-1);
	cr_expect_eq(place.group, (gid_t)-1);
	cr_assert(listen_unix_parse("unix:/s?mode=0660&owner=root&group=123", &place, error,
				    sizeof(error)));
	cr_expect_str_eq(place.path, "/s");
	cr_expect_eq(place.mode, 0660);
	cr_expect_eq(place.owner, 0);
	cr_expect_eq(place.group, 123);
	for (size_t i = 0; i < COUNT(bad); i++) {
		cr_expect_not(listen_unix_parse(bad[i], &place, error, sizeof(error)), "%s",
			      bad[i]);
		cr_expect(strstr(error, "--listen") && strstr(error, bad[i]), "%s", error);
	}
	memset(text + 6, 'x', 106);
	cr_expect(listen_unix_parse(text, &place, error, sizeof(error)));
	cr_expect_eq(strlen(place.path), 107);
	text[6 + 106] = 'x';
	cr_expect_not(listen_unix_parse(text, &place, error, sizeof(error)));
}

static bool are_local(const char *text)
{
	static struct listeners listeners;
	const struct option_list list = {.texts = {text}, .count = 1};
	char error[400];

	cr_assert(listeners_read(&listeners, &list, error, sizeof(error)), "%s", error);
	return listeners_are_local(&listeners);
}

/* As a user who may not give files away; Criterion runs each test in a process of its own. */
Test(listen_address, an_owner_that_cannot_be_given_is_named)
{
	char folder[] = "/tmp/steadycache-listen-XXXXXX", text[100], error[300] = "";
	struct listen_unix place;

	cr_assert_not_null(mkdtemp(folder));
	(void)snprintf(text, sizeof(text), "unix:%s/s?owner=0&group=0", folder);
	cr_assert(listen_unix_parse(text, &place, error, sizeof(error)), "%s", error);
	cr_assert_eq(chmod(folder, 0777), 0);
	uid_t before = geteuid();
	cr_assert(before != 0 || seteuid(65534) == 0);
	cr_expect_eq(listen_unix_open(&place, error, sizeof(error)), -1);
	cr_assert(before != 0 || seteuid(0) == 0);
	cr_expect_not_null(strstr(error, "cannot set owner and group of /tmp/"), "%s", error);
	cr_expect_eq(rmdir(folder), 0, "no file stays");
}

Test(listen_address, several_are_local_if_each_is)
{
	cr_expect(are_local("127.0.0.1:1"));
	cr_expect(are_local("127.0.0.1:1 [::1]:1\n unix:/s "));
	cr_expect_not(are_local("127.0.0.1:1 0.0.0.0:1"));
	cr_expect_not(are_local("0.0.0.0:1 127.0.0.1:1"));
	cr_expect(are_local("unix:/s"));
	cr_expect(are_local("unix:/s?mode=0700"));
	cr_expect_not(are_local("unix:/s?mode=0660"));
	cr_expect_not(are_local("unix:/s?mode=0604"));
}

Test(listen_address, is_split_at_the_last_colon)
{
	static const struct {
		const char *text, *host, *port;
	} cases[] = {
		{"127.0.0.1:8080", "127.0.0.1", "8080"},
		{"[::1]:8080", "::1", "8080"},
		{"localhost:0", "localhost", "0"},
		{"[::]:65535", "::", "65535"},
		{"a:0080", "a", "80"},
		{"[127.0.0.1]:1", "127.0.0.1", "1"},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct listen_address address;

		cr_assert(listen_parse(cases[i].text, &address), "%s", cases[i].text);
		cr_expect_str_eq(address.host, cases[i].host);
		cr_expect_str_eq(address.port, cases[i].port);
	}
}

Test(listen_address, refusals)
{
	static const char *const bad[] = {
		"",
		"8080",
		":8080",
		"host:",
		"host:http",
		"host:-1",
		"host:+1",
		"host: 1",
		"host:1 ",
		"host:65536",
		"host:1x",
		"::1:8080",
		"[::1]",
		"[::1:8080",
		"[]:8080",
		"[:8080",
		"[::1]8080",
		"::",
		"a:b:1",
		"host:99999999999999999999",
		"http://host",
		"[::1]x:80",
	};
	char longest[300];
	struct listen_address address;

	for (size_t i = 0; i < COUNT(bad); i++)
		cr_expect_not(listen_parse(bad[i], &address), "%s", bad[i]);
	memset(longest, 'h', sizeof(longest));
	strcpy(longest + sizeof(address.host) - 1, ":1");
	cr_expect(listen_parse(longest, &address));
	cr_expect_eq(strlen(address.host), sizeof(address.host) - 1);
	memset(longest, 'h', sizeof(address.host));
	strcpy(longest + sizeof(address.host), ":1");
	cr_expect_not(listen_parse(longest, &address), "a host that has no room");
}

Test(listen_address, loopback_is_127_and_1)
{
	static const struct {
		const char *host;
		bool loopback;
	} cases[] = {
		{"127.0.0.1", true}, {"127.255.1.2", true}, {"::1", true},
		{"0.0.0.0", false},  {"128.0.0.1", false},  {"10.127.0.1", false},
		{"::", false},       {"::2", false},        {"fe80::1", false},
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct listen_address address = {.port = "80"};

		strcpy(address.host, cases[i].host);
		cr_expect_eq(listen_is_loopback(&address), cases[i].loopback, "%s", cases[i].host);
	}
}

Test(listen_address, port_0_becomes_one_that_can_be_reached)
{
	struct listen_address address = {.host = "127.0.0.1", .port = "0"};
	char name[64] = "";
	char error[200] = "";
	int fd = listen_open(&address, name, sizeof(name), error, sizeof(error));

	cr_assert_geq(fd, 0, "%s", error);
	cr_expect(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	cr_expect(fcntl(fd, F_GETFL) & O_NONBLOCK);
	cr_assert(listen_parse(name, &address), "%s", name);
	cr_expect_str_neq(address.port, "0");
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons((uint16_t)atoi(address.port)),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int client = socket(AF_INET, SOCK_STREAM, 0);
	cr_expect_eq(connect(client, (struct sockaddr *)&to, sizeof(to)), 0);
	(void)close(client);
	cr_expect_eq(listen_open(&address, name, sizeof(name), error, sizeof(error)), -1);
	cr_expect_not_null(strstr(error, address.port), "%s", error);
	(void)close(fd);
}

/* ---- Who may connect ---- */

static const char *header_of(const struct response *response, const char *name)
{
	for (size_t i = 0; i < response->header_count; i++)
		if (strcmp(response->headers[i].name, name) == 0)
			return response->headers[i].value;
	return "(none)";
}

static void open_auth(struct auth *auth, const char *keys)
{
	const struct auth_sources sources = {.keys = keys};
	char error[200] = "";

	cr_assert(auth_init(auth, &sources, NULL, error, sizeof(error)), "%s", error);
}

Test(auth, tokens_as_the_original_answers_them)
{
	static const struct {
		const char *authorization;
		unsigned status; /* 200: continues */
		const char *body, *challenge;
	} cases[] = {
		{NULL, 401, "Unauthorized", "Bearer realm=\"\""},
		{"Bearer secret", 200, NULL, NULL},
		{"bearer secret", 200, NULL, NULL},
		{"BEARER   secret", 200, NULL, NULL},
		{"Bearer wrong", 401, "Unauthorized", "Bearer error=\"invalid_token\""},
		{"Bearer secre", 401, "Unauthorized", "Bearer error=\"invalid_token\""},
		{"Bearer secrets", 401, "Unauthorized", "Bearer error=\"invalid_token\""},
		{"Bearer Secret", 401, "Unauthorized", "Bearer error=\"invalid_token\""},
		{"Bearer secret x", 401, "Unauthorized", "Bearer error=\"invalid_token\""},
		{"", 400, "Bad Request", "Bearer error=\"invalid_request\""},
		{"Bear", 400, "Bad Request", "Bearer error=\"invalid_request\""},
		{"Bearer", 400, "Bad Request", "Bearer error=\"invalid_request\""},
		{"Bearer ", 400, "Bad Request", "Bearer error=\"invalid_request\""},
		{"Bearersecret", 400, "Bad Request", "Bearer error=\"invalid_request\""},
		{"Basic secret", 400, "Bad Request", "Bearer error=\"invalid_request\""},
		{"secret", 400, "Bad Request", "Bearer error=\"invalid_request\""},
		{" Bearer secret", 400, "Bad Request", "Bearer error=\"invalid_request\""},
	};
	static struct auth auth;
	struct access access;

	open_auth(&auth, "secret");
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct response response;
		const char *text = cases[i].authorization ? cases[i].authorization : "(none)";

		response_init(&response);
		const struct auth_request request = {
			.authorization = cases[i].authorization,
			.is_original = true,
		};
		bool goes_on = auth_check(&auth, &request, &access, &response) == AUTH_GOES_ON;
		auth_leave(&access);
		cr_expect_eq(goes_on, cases[i].status == 200, "%s", text);
		if (goes_on)
			continue;
		cr_expect_eq(response.status, cases[i].status, "%s", text);
		cr_expect(slice_equal(response.static_body, slice_of(cases[i].body)), "%s", text);
		cr_expect_str_eq(header_of(&response, "WWW-Authenticate"), cases[i].challenge);
		cr_expect_str_eq(header_of(&response, "Content-Type"), "text/plain");
	}
	auth_deinit(&auth);
}

static unsigned status_for(struct auth *auth, const struct auth_request *request)
{
	struct access access;
	struct response response;

	response_init(&response);
	bool goes_on = auth_check(auth, request, &access, &response) == AUTH_GOES_ON;
	auth_leave(&access);
	return goes_on ? 200 : response.status;
}

Test(auth, basic_has_the_token_as_its_password)
{
	static const struct {
		const char *authorization;
		unsigned status, original;
	} cases[] = {
		{"Basic dXNlcjpzZTpjcmV0", 200, 200}, /* user:se:cret */
		{"basic OnNlOmNyZXQ=", 200, 200},     /* :se:cret */
		{"Basic   OnNlOmNyZXQ=", 200, 200},
		{"Basic dXNlcjp3cm9uZw==", 401, 400},     /* user:wrong */
		{"Basic dXNlcjpzZTpjcmV0AA==", 401, 400}, /* a NUL behind it */
		{"Basic c2U6Y3JldA==", 401, 400},         /* se:cret, so user "se" */
		{"Basic", 401, 400},
		{"Basic ", 401, 400},
		{"Basic OnNlOmNyZXQ", 401, 400},   /* no padding */
		{"Basic OnNlOmNyZXR=", 401, 400},  /* bits that belong to no byte */
		{"Basic OnNlOmNyZXQ==", 401, 400}, /* too much of it */
		{"Basic OnNl OmNyZXQ=", 401, 400},
		{"Basic OnNlOmNyZXQ=OnNlOmNyZXQ=", 401, 400},
		{"Basic OnNlOmNyZX-_", 401, 400},
		{"Basicx OnNlOmNyZXQ=", 401, 400},
		{"Digest OnNlOmNyZXQ=", 401, 400},
		{"Bearer OnNlOmNyZXQ=", 401, 401},
		{"Bearer", 400, 400},
	};
	static struct auth auth;

	open_auth(&auth, "se:cret");
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct auth_request request = {.authorization = cases[i].authorization};

		cr_expect_eq(status_for(&auth, &request), cases[i].status, "%s",
			     cases[i].authorization);
		request.is_original = true;
		cr_expect_eq(status_for(&auth, &request), cases[i].original, "%s",
			     cases[i].authorization);
		request.is_repeated = true;
		cr_expect_eq(status_for(&auth, &request), 400, "%s twice", cases[i].authorization);
	}
	auth_deinit(&auth);
}

/* User name, colon and token together; base64 of "u:" is "dTp" and two bits. */
Test(auth, basic_has_a_longest_form)
{
	static char key[BASIC_MAX_BYTES], text[6000], value[6100];
	static struct auth auth;
	const struct auth_request request = {.authorization = value};

	for (size_t len = BASIC_MAX_BYTES - 5; len < BASIC_MAX_BYTES - 1; len++) {
		memset(key, 'k', len);
		key[len] = '\0';
		char plain[BASIC_MAX_BYTES + 2] = "u:";
		memcpy(plain + 2, key, len);
		memset(text, 0, sizeof(text));
		base64_encode_raw(text, len + 2, (const uint8_t *)plain);
		(void)snprintf(value, sizeof(value), "Basic %s", text);
		open_auth(&auth, key);
		cr_expect_eq(status_for(&auth, &request), len + 2 < BASIC_MAX_BYTES ? 200 : 401,
			     "%zu", len);
		auth_deinit(&auth);
	}
}

Test(auth, without_tokens_everybody_goes_on)
{
	static struct auth auth;
	struct access access;
	struct response response;

	open_auth(&auth, NULL);
	response_init(&response);
	cr_expect_eq(auth_check(&auth, &(struct auth_request){.authorization = "Bearer ignored"},
				&access, &response),
		     AUTH_GOES_ON);
	cr_expect_eq(auth_check(&auth, &(struct auth_request){0}, &access, &response),
		     AUTH_GOES_ON);
	cr_expect_null(access.token);
	auth_deinit(&auth);
}
