// Websync goal "Shop visitors, everything", revision 7.
// Generated code: edit the goal on "https://websync.example/goals/shop-goal", not this file.
// Save it as "lib/websync_token.dart". When a visitor has just logged in, call it with what the login gave, without await:
//   syncWithWebsync(credentials, profileId);
import 'dart:convert';
import 'dart:io';

import 'package:auth0_flutter/auth0_flutter.dart';

// Tells Websync of one login. It does not hold up the app, and visitors do not see if it fails.
// The profile's id is what BlueConic's mobile SDK tells you.
Future<void> syncWithWebsync(Credentials credentials, String? profileId) async {
  final client = HttpClient()..connectionTimeout = const Duration(seconds: 10);
  try {
    final request = await client.postUrl(Uri.parse("https://websync.example/sync/shop-goal/token"));
    request.headers.contentType = ContentType.json;
    request.write(jsonEncode({'token': credentials.idToken, 'profileId': profileId}));
    final response = await request.close().timeout(const Duration(seconds: 10));
    await response.drain<void>();
  } catch (_) {
    // The login has worked, and that is what visitors came for.
  } finally {
    client.close(force: true);
  }
}
