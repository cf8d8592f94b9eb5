# What a plugin is built with (docs/plugins.md): the headers and their pkg-config file. The plugins that are
# named without a path are in lib/steadycache/plugins beside the folder of the program
# (backends/plugin/url.c).
file(STRINGS ${CMAKE_SOURCE_DIR}/include/steadycache/driver.h driver_abi REGEX "^#define DRIVER_ABI ")
string(REGEX REPLACE "[^0-9]" "" driver_abi "${driver_abi}")
configure_file(${CMAKE_SOURCE_DIR}/cmake/steadycache-driver.pc.in
	${CMAKE_BINARY_DIR}/generated/steadycache-driver.pc @ONLY)
install(FILES include/steadycache/driver.h include/steadycache/slice.h DESTINATION include/steadycache
	COMPONENT development)
install(FILES ${CMAKE_BINARY_DIR}/generated/steadycache-driver.pc DESTINATION share/pkgconfig
	COMPONENT development)
