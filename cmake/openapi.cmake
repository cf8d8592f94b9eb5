# Embeds openapi/openapi.yaml and openapi.json into steadycache_handlers unchanged. openapi/to_json.py makes
# the JSON from the YAML, and it is committed, so that a build needs neither Python nor npm.
set(openapi_yaml ${CMAKE_SOURCE_DIR}/openapi/openapi.yaml)
set(openapi_json ${CMAKE_SOURCE_DIR}/openapi/openapi.json)
set(openapi_files ${CMAKE_BINARY_DIR}/generated/openapi_files.c)
add_custom_command(OUTPUT ${openapi_files}
	DEPENDS ${openapi_yaml} ${openapi_json} ${CMAKE_SOURCE_DIR}/cmake/embed_openapi.cmake
	COMMAND ${CMAKE_COMMAND} -DOUTPUT=${openapi_files} -DYAML=${openapi_yaml}
		-DJSON=${openapi_json} -P ${CMAKE_SOURCE_DIR}/cmake/embed_openapi.cmake
	COMMENT "Embedding the OpenAPI description" VERBATIM)
target_sources(steadycache_handlers PRIVATE ${openapi_files})
