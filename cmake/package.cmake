# The server's Debian package: cpack -G DEB. packaging/debian/stage.cmake adds what Debian requires beyond the install
# rules. ./dev deb also makes those of the library and of plugins: packaging/debian/libraries.sh.
set(PACKAGE_MAINTAINER "The steadycache authors <maintainers@steadycache.example>" CACHE STRING
	"Who answers for the package: Name <address>")
set(CPACK_PACKAGE_NAME steadycache)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_CONTACT ${PACKAGE_MAINTAINER})
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "cache server over SQLite, memory, Redis, DynamoDB or D1")
set(CPACK_PACKAGE_DESCRIPTION "An HTTP cache server in one small program. It speaks SteadyText's D1 proxy
API, so that it can take the place of the Cloudflare Worker behind it, and
plain REST for curl and any language. Entries live in an SQLite database, in
memory, in Redis, DynamoDB or Cloudflare D1, large values in a directory or
in S3.")
set(CPACK_GENERATOR DEB)
set(CPACK_INSTALL_CMAKE_PROJECTS ${CMAKE_BINARY_DIR} ${PROJECT_NAME} server /)
set(CPACK_STRIP_FILES ON)
set(CPACK_VERBATIM_VARIABLES ON)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_PRE_BUILD_SCRIPTS ${CMAKE_SOURCE_DIR}/packaging/debian/stage.cmake)
set(CPACK_STEADYCACHE_SOURCE ${CMAKE_SOURCE_DIR})
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS ca-certificates)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
	${CMAKE_SOURCE_DIR}/packaging/debian/conffiles
	${CMAKE_SOURCE_DIR}/packaging/debian/postinst
	${CMAKE_SOURCE_DIR}/packaging/debian/prerm
	${CMAKE_SOURCE_DIR}/packaging/debian/postrm)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
include(CPack)
