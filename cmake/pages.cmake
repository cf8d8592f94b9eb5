# Adds the pages (/docs and /ui) to steadycache_handlers: node bundles them with the packages of pages/, and
# .incbin embeds the bundles. Nothing is downloaded here: ./dev build runs npm ci. Without node or the
# packages the server is built without the pages.
option(WITH_PAGES "Build the pages /docs and /ui in, where node and their packages are there" ON)
find_program(NODE node)
set(pages ${CMAKE_SOURCE_DIR}/pages)
if(WITH_PAGES AND NODE AND EXISTS ${pages}/node_modules/esbuild AND EXISTS ${pages}/node_modules/swagger-ui-dist)
	set(generated ${CMAKE_BINARY_DIR}/generated/pages)
	file(GLOB_RECURSE page_sources CONFIGURE_DEPENDS ${pages}/src/*)
	add_custom_command(OUTPUT ${generated}/page_files.c
		DEPENDS ${page_sources} ${pages}/build.mjs ${pages}/package-lock.json
		COMMAND ${NODE} ${pages}/build.mjs ${generated}
		COMMENT "Bundling the pages" VERBATIM)
	target_sources(steadycache_handlers PRIVATE ${generated}/page_files.c)
	message(STATUS "steadycache: with the pages /docs and /ui")
else()
	target_sources(steadycache_handlers PRIVATE ${pages}/page_files_none.c)
	message(STATUS "steadycache: built without the pages /docs and /ui: they need node, and "
		"(cd pages && npm ci), which ./dev build does where npm is installed")
endif()
