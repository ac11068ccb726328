"""An RTSP server for tests: GStreamer's, serving an H.264 file, with or without a password, TLS, and losses.

Run by the system's Python, which has GStreamer's bindings; prints its port when it is ready:
    /usr/bin/python3 gst_rtsp.py VIDEO.mp4 [--port N] [--address A] [--user U --password P] [--tls PEM]
        [--transport T] [--loss P]
"""

# mypy: disable-error-code="import-not-found"

import argparse

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gio, GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402 - versions come first


def main() -> None:
    """Serve `rtsp://ADDRESS:PORT/camera` until killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("video")
    parser.add_argument("--port", default="0")
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--user")
    parser.add_argument("--password")
    parser.add_argument("--tls", help="file with certificate and key")
    parser.add_argument("--transport", choices=["tcp", "udp"], help="the only one that is offered")
    parser.add_argument("--loss", type=float, default=0.0, help="share of the RTP packets that are not sent")
    options = parser.parse_args()

    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address(options.address)
    server.set_service(options.port)
    factory = GstRtspServer.RTSPMediaFactory()
    payloader = "rtph264pay pt=96 config-interval=-1"
    if options.loss:
        payloader += f" mtu=600 ! identity drop-probability={options.loss}"
    factory.set_launch(f'( filesrc location="{options.video}" ! qtdemux ! h264parse ! {payloader} name=pay0 )')
    if options.transport:
        transports = {"tcp": GstRtsp.RTSPLowerTrans.TCP, "udp": GstRtsp.RTSPLowerTrans.UDP}
        factory.set_protocols(transports[options.transport])
    if options.user:
        _protect(server, factory, options.user, options.password)
    if options.tls:
        _encrypt(server, factory, options.tls)
    server.get_mount_points().add_factory("/camera", factory)
    server.attach(None)
    print(server.get_bound_port(), flush=True)
    GLib.MainLoop().run()


def _encrypt(server: GstRtspServer.RTSPServer, factory: GstRtspServer.RTSPMediaFactory, certificate: str) -> None:
    role = "anyone"
    token = GstRtspServer.RTSPToken()
    token.set_string(GstRtspServer.RTSP_TOKEN_MEDIA_FACTORY_ROLE, role)
    auth = GstRtspServer.RTSPAuth()
    auth.set_tls_certificate(Gio.TlsCertificate.new_from_file(certificate))
    auth.set_default_token(token)
    server.set_auth(auth)
    factory.set_permissions(_permissions(role))


def _permissions(role: str) -> GstRtspServer.RTSPPermissions:
    permissions = GstRtspServer.RTSPPermissions()
    permissions.add_permission_for_role(role, GstRtspServer.RTSP_PERM_MEDIA_FACTORY_ACCESS, True)
    permissions.add_permission_for_role(role, GstRtspServer.RTSP_PERM_MEDIA_FACTORY_CONSTRUCT, True)
    return permissions


def _protect(
    server: GstRtspServer.RTSPServer, factory: GstRtspServer.RTSPMediaFactory, user: str, password: str
) -> None:
    role = "viewer"
    token = GstRtspServer.RTSPToken()
    token.set_string(GstRtspServer.RTSP_TOKEN_MEDIA_FACTORY_ROLE, role)
    auth = GstRtspServer.RTSPAuth()
    auth.set_supported_methods(GstRtsp.RTSPAuthMethod.BASIC)
    auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
    server.set_auth(auth)
    factory.set_permissions(_permissions(role))


if __name__ == "__main__":
    main()
