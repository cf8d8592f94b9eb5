#include "handlers/json/json_in.h"

#include <math.h>
#include <stdlib.h>

#include "handlers/respond/error.h"
#include "handlers/respond/status.h"

/* A larger number of bytes is not exact in JSON. */
#define BYTES_MAX 9007199254740992.0

static void respond_fault(const struct request *request, struct response *response,
			  const struct json_fault *fault)
{
	if (fault->no_memory)
		respond_error(request, response, status_http(CACHE_NO_MEMORY), "%s",
			      status_text(CACHE_NO_MEMORY));
	else if (fault->path[0] != '\0')
		respond_error(request, response, 400, "\"%s\" %s", fault->path, fault->what);
	else if (fault->line > 0)
		respond_error(request, response, 400,
			      "the body is not valid JSON (line %zu, column %zu): %s", fault->line,
			      fault->column, fault->what);
	else
		respond_error(request, response, 400, "the body must be a JSON object; it %s",
			      fault->what);
}

bool json_in_read(struct request *request, struct response *response, struct scan_member *members,
		  size_t count, struct scan_list *list, struct slice *ret_unknown)
{
	struct json_fault fault;

	if (!request->body || request->body->len_bytes == 0) {
		respond_error(request, response, 400,
			      "the request needs a JSON object as its body");
		return false;
	}
	if (json_read(cache_value_data(request->body), request->body->len_bytes, members, count,
		      list, ret_unknown, &fault))
		return true;
	respond_fault(request, response, &fault);
	return false;
}

static bool refuse(const struct request *request, struct response *response, bool found,
		   const char *path, struct slice name, const char *what)
{
	if (found)
		respond_error(request, response, 400, "\"%s%.*s\" must be %s", path, (int)name.len,
			      name.data, what);
	else
		respond_error(request, response, 400, "\"%s%.*s\" is missing; it must be %s", path,
			      (int)name.len, name.data, what);
	return false;
}

bool json_in_string(const struct request *request, struct response *response, const char *path,
		    const struct scan_member *member, struct slice *ret)
{
	if (!member->found || !member->string.data)
		return refuse(request, response, member->found, path, member->name, "a string");
	*ret = member->string;
	return true;
}

bool json_in_megabytes(const struct request *request, struct response *response,
		       const struct scan_member *member, uint64_t *ret_bytes)
{
	/* The text after a number in an object cannot continue it. */
	double bytes =
		member->kind == KIND_NUMBER ? strtod(member->string.data, NULL) * 1048576.0 : -1.0;

	if (!member->found || !(bytes >= 0))
		return refuse(request, response, member->found, "", member->name,
			      "a number that is not negative");
	if (bytes > BYTES_MAX) {
		respond_error(request, response, 400, "\"%.*s\" is too large",
			      (int)member->name.len, member->name.data);
		return false;
	}
	*ret_bytes = bytes > 0 && bytes < 1 ? 1 : (uint64_t)floor(bytes);
	return true;
}

bool json_in_whole(const struct request *request, struct response *response, const char *path,
		   const struct scan_member *member, int64_t max, int64_t *ret)
{
	if (!member->found)
		return true;
	if (member->whole < 0 || member->whole > max) {
		respond_error(request, response, 400,
			      "\"%s%.*s\" must be a whole number from 0 to %lld", path,
			      (int)member->name.len, member->name.data, (long long)max);
		return false;
	}
	*ret = member->whole;
	return true;
}

bool json_in_list(const struct request *request, struct response *response,
		  const struct scan_list *list, const char *of)
{
	if (!list->is_there || !list->is_array)
		return refuse(request, response, list->is_there, "", list->name, "an array");
	if (list->first_wrong == SIZE_MAX)
		return true;
	respond_error(request, response, 400, "\"%.*s[%zu]\" must be %s", (int)list->name.len,
		      list->name.data, list->first_wrong, of);
	return false;
}
