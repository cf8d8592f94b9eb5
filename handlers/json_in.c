#include "handlers/json_in.h"

#include <math.h>

/* Beyond this a number of bytes is no longer exact in JSON. */
#define BYTES_MAX 9007199254740992.0

json_t *json_in_object(const struct request *request, struct response *response)
{
	struct slice body = request_body(request);
	json_error_t error;

	if (body.len == 0) {
		respond_error(request, response, 400,
			      "the request needs a JSON object as its body");
		return NULL;
	}
	json_t *root = json_loadb(body.data, body.len, JSON_ALLOW_NUL | JSON_DECODE_ANY, &error);
	if (!root) {
		respond_error(request, response, 400,
			      "the body is not valid JSON (line %d, column %d): %s", error.line,
			      error.column, error.text);
		return NULL;
	}
	if (!json_is_object(root)) {
		json_decref(root);
		respond_error(request, response, 400, "the body must be a JSON object");
		return NULL;
	}
	return root;
}

static bool refuse(const struct request *request, struct response *response, const json_t *member,
		   const char *path, const char *name, const char *what)
{
	if (member)
		respond_error(request, response, 400, "\"%s%s\" must be %s", path, name, what);
	else
		respond_error(request, response, 400, "\"%s%s\" is missing; it must be %s", path,
			      name, what);
	return false;
}

bool json_in_string(const struct request *request, struct response *response, const json_t *object,
		    const char *path, const char *name, struct slice *ret)
{
	const json_t *member = json_object_get(object, name);

	if (!json_is_string(member))
		return refuse(request, response, member, path, name, "a string");
	*ret = json_in_slice(member);
	return true;
}

bool json_in_megabytes(const struct request *request, struct response *response,
		       const json_t *object, const char *name, uint64_t *ret_bytes)
{
	const json_t *member = json_object_get(object, name);
	double bytes = json_number_value(member) * 1048576.0;

	if (!json_is_number(member) || !(bytes >= 0))
		return refuse(request, response, member, "", name, "a number that is not negative");
	if (bytes > BYTES_MAX) {
		respond_error(request, response, 400, "\"%s\" is too large", name);
		return false;
	}
	*ret_bytes = bytes > 0 && bytes < 1 ? 1 : (uint64_t)floor(bytes);
	return true;
}

bool json_in_whole(const struct request *request, struct response *response, const json_t *object,
		   const char *path, const char *name, int64_t max, int64_t *ret)
{
	const json_t *member = json_object_get(object, name);
	int64_t number = -1;

	if (!member)
		return true;
	if (json_is_integer(member))
		number = json_integer_value(member);
	else if (json_is_real(member) &&
		 json_real_value(member) == trunc(json_real_value(member)) &&
		 fabs(json_real_value(member)) <= 9007199254740992.0)
		number = (int64_t)json_real_value(member);
	if (number < 0 || number > max) {
		respond_error(request, response, 400,
			      "\"%s%s\" must be a whole number from 0 to %lld", path, name,
			      (long long)max);
		return false;
	}
	*ret = number;
	return true;
}

bool json_in_array(const struct request *request, struct response *response, const json_t *object,
		   const char *name, const json_t **ret)
{
	const json_t *member = json_object_get(object, name);

	if (!json_is_array(member))
		return refuse(request, response, member, "", name, "an array");
	*ret = member;
	return true;
}
