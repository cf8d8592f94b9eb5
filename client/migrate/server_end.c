#include "client/migrate/server_end.h"

#include "client/remote_open.h"

bool server_end_open(struct remote *remote, const char *url, bool is_source, long timeout_s,
		     struct migrate_failure *failure)
{
	int code = remote_open_url(
		remote, url, is_source ? "FROM" : "TO",
		is_source ? "STEADYCACHE_FROM_API_KEY" : "STEADYCACHE_TO_API_KEY", timeout_s);

	return code == CLIENT_DONE || migrate_fail(failure, code, "%s cannot be used", url);
}

bool server_end_judge(struct remote *remote, bool has_answer, const struct remote_answer *answer,
		      struct migrate_failure *failure)
{
	const char *variable = strcmp(remote->source, "FROM") == 0 ? "STEADYCACHE_FROM_API_KEY"
								   : "STEADYCACHE_TO_API_KEY";

	if (!has_answer) {
		(void)migrate_fail(failure, CLIENT_UNREACHABLE, "no answer from %s: %s",
				   remote->url,
				   remote->error[0] ? remote->error : "the connection broke");
		failure->is_passing = true;
		return false;
	}
	if (remote_is_done(answer))
		return true;
	json_auto_t *problem =
		json_loadb(answer->body.data ? answer->body.data : "", answer->body.len, 0, NULL);
	const char *detail = json_string_value(json_object_get(problem, "detail"));
	(void)migrate_fail(failure, answer->status >= 500 ? CLIENT_UNREACHABLE : CLIENT_REFUSED,
			   "%s: %s (status %ld%s%s)", remote->url,
			   detail ? detail : "the server refused", answer->status,
			   answer->status == 401 ? "; set " : "",
			   answer->status == 401 ? variable : "");
	failure->is_passing = answer->status == 429 || answer->status >= 502;
	return false;
}

bool server_end_ask(struct remote *remote, const struct remote_request *request,
		    struct remote_answer *answer, struct migrate_failure *failure)
{
	bool has_answer = remote_try(remote, request, answer);

	return server_end_judge(remote, has_answer, answer, failure);
}
